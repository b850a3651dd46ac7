"""Which scans that are stored in another order than their header says are told, and how often a sound one is.

    python benchmarks/orientation.py ../shared/data/eval [--sets chest abdomen] [--pairs 12] [--output table.md]

Each pair is judged as it is, with its target mirrored, upside down, back to front and turned by 180 degrees, on the coarsest
level alone. That few points lead back, without which nothing is looked at, is taken for granted: false alarms are the most
there can be. A target that is stored with axes reversed has the agreements of the sound one in another order, and the
opposite evidence, so that each scan is embedded eight times and not forty.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedding import Embedding, Image
from SAMLandmarkLib.embedding.prepared import PreparedVolume, body_points_lps
from SAMLandmarkLib.engine.orientation import (
    LEAST_EVIDENCE,
    Flip,
    FlippedMiddle,
    flips_of,
    likely_flip,
    mirror_evidence,
    searched_level,
)
from SAMLandmarkLib.evaluation.sets import EvaluationPair, EvaluationSet, find_evaluation_sets
from SAMLandmarkLib.models.bundle import EmbeddingModel

STORED: dict[str, Flip] = {
    "sound": (),
    "mirrored": (0,),
    "upside down": (2,),
    "back to front": (1,),
    "turned by 180 degrees": (0, 1),
}


class RememberingModel:
    """A model that computes each level of each image once."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.metadata, self.modality = model.metadata, model.modality
        self._model, self._known = model, {}

    def embed_level(self, level: int, values: torch.Tensor) -> torch.Tensor:
        key = (level, values.shape, hash(values.numpy().tobytes()))
        if key not in self._known:
            self._known[key] = self._model.embed_level(level, values).half()
        return self._known[key].float()

    def forget(self) -> None:
        """Let the levels go that were computed."""
        self._known.clear()


class CoarseScans:
    """Scans, of which only the searched level is embedded."""

    def __init__(self, model: RememberingModel) -> None:
        self._model, self._known = model, {}

    def of(self, path: Path) -> Embedding:
        if path not in self._known:
            self._known[path] = self._embedded(path)
        return self._known[path]

    def _embedded(self, path: Path) -> Embedding:
        modality = self._model.modality
        prepared = PreparedVolume.of(Volume.read(path), self._model.metadata.spacing_mm)
        canonical = prepared.canonical
        image = Image(torch.from_numpy(np.rint(canonical.array).astype(np.int16)), canonical.grid, modality)
        level, points = searched_level(image, self._model), body_points_lps(canonical, modality)
        return Embedding(path.name, (level,), image, points, prepared.field_of_view)


@dataclass(frozen=True)
class Judged:
    """How well a target fits in each orientation, and the evidence that it is a mirror image."""

    agreements: Mapping[Flip, float]
    evidence: float

    def told(self, stored: Flip) -> Flip:
        """The axes that are said to be reversed where the target is stored with some reversed."""
        reversed_too = {flip: self.agreements[tuple(sorted({*flip} ^ {*stored}))] for flip in self.agreements}
        if flip := likely_flip(reversed_too):
            return flip
        # with other axes reversed too, nothing is known of the evidence, which was not asked for then
        evidence = {(): self.evidence, (0,): -self.evidence}.get(stored, -1.0)
        return (0,) if evidence >= LEAST_EVIDENCE else ()


def judged(template: Embedding, target: Embedding, model: RememberingModel) -> Judged:
    middle = FlippedMiddle(template, target, model)
    agreements = {flip: middle.agreement(flip) for flip in flips_of(3)}
    return Judged(agreements, mirror_evidence(template, target, model))


def rows(tests: EvaluationSet, pairs: int, model: RememberingModel, scans: CoarseScans) -> Iterator[str]:
    """A row for the set, and one for each of its pairs."""
    found: list[Judged] = []
    for pair in both_ways(tests)[:pairs]:
        template, target = scans.of(pair.template.path), scans.of(pair.target.path)
        found.append(judged(template, target, model))
        best = max(value for flip, value in found[-1].agreements.items() if flip)
        print(
            f"{tests.name}: {pair.template.name} to {pair.target.name}: agree {found[-1].agreements[()]:.2f}, "
            f"flipped {best:.2f}, evidence {found[-1].evidence:+.3f}",
            flush=True,
        )
    told = [sum(bool(pair.told(flip)) for pair in found) for flip in STORED.values()]
    evidence = [pair.evidence for pair in found]
    yield (
        f"| {tests.name} | {len(found)} | {' | '.join(map(str, told))} | {min(evidence):+.2f} to {max(evidence):+.2f} |"
    )


def both_ways(tests: EvaluationSet) -> list[EvaluationPair]:
    """All pairs, those of a follow-up the other way round too."""
    pairs = list(tests.pairs)
    return pairs if len(pairs) > 1 else [*pairs, EvaluationPair(pairs[0].target, pairs[0].template)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--pairs", type=int, default=12, help="at most so many of each set")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = [
        f"| set | pairs | told {' | '.join(STORED)} | evidence of sound ones |",
        "|---" * (len(STORED) + 3) + "|",
    ]
    model = RememberingModel(EmbeddingModel.load(device="cpu"))
    for tests in find_evaluation_sets(arguments.data, arguments.sets):
        table += rows(tests, arguments.pairs, model, CoarseScans(model))
        model.forget()
    print("\n".join(table))
    if arguments.output:
        arguments.output.write_text("\n".join([*table, ""]))


if __name__ == "__main__":
    main()
