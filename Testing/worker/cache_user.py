"""One of several programs that read and write the same cache of embeddings, and damage it now and then.

    python cache_user.py FOLDER SEED

Prints how many entries it found, wrote, and found to be others than were written, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from SAMLandmarkLib.core.geometry import CanonicalGrid, FieldOfView
from SAMLandmarkLib.embedding.cache import EmbeddingCache
from SAMLandmarkLib.embedding.embedding import Embedding, Image, Level

KEYS = [f"{number:064x}" for number in range(8)]
ROUNDS, LIMIT_BYTES = 150, 60_000
DAMAGED_EVERY = 20


def random_embedding(seed: int = 0, coarse_dtype: torch.dtype = torch.bfloat16) -> Embedding:
    generator = torch.Generator().manual_seed(seed)
    grids = [CanonicalGrid(np.array([-1.5, 0.1, seed]), spacing, (8, 6, 4)) for spacing in (4.0, 8.0)]
    image_grid = CanonicalGrid(np.array([-2.5, -0.9, seed]), 2.0, (16, 12, 8))
    vectors = [torch.randn(4, 6, 8, 16, generator=generator) for _ in grids]
    return Embedding(
        name="scan",
        levels=(Level(vectors[0].half(), grids[0]), Level(vectors[1].to(coarse_dtype), grids[1])),
        image=Image(torch.randint(-1024, 3071, (8, 12, 16), generator=generator).short(), image_grid),
        support_points_lps=np.random.default_rng(seed).normal(size=(7, 3)),
        field_of_view=FieldOfView(
            np.array([[0, 1, 0, 1.1], [1, 0, 0, 2], [0, 0.3, 3, 3], [0, 0, 0, 1]]), (5, 6, 7)
        ),
        seconds={"embed": 1.5},
    )


def main(folder: Path, seed: int) -> None:
    cache, chance = EmbeddingCache(folder, LIMIT_BYTES), random.Random(seed)
    told = {"found": 0, "written": 0, "wrong": 0, "limit": LIMIT_BYTES}
    for number in range(ROUNDS):
        key = chance.randrange(len(KEYS))
        expected, found = random_embedding(key), cache.get(KEYS[key])
        if found is None:
            cache.put(KEYS[key], expected)
            told["written"] += 1
        else:
            told["found"] += 1
            told["wrong"] += not torch.equal(found.finest.vectors, expected.finest.vectors)
        if number % DAMAGED_EVERY == seed:
            damage(folder, chance)
    print(json.dumps(told))


def damage(folder: Path, chance: random.Random) -> None:
    """Cut an entry short, as a full disk does."""
    with suppress(OSError):
        entry = chance.choice(sorted(folder.glob("*.npz")))
        entry.write_bytes(entry.read_bytes()[:-500])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
