"""What labels bring: a U-Net trained with the points of N cephalograms, beside one template and no training labels.

    python benchmarks/supervised_films.py FOLDER [--labelled 1 5 25] [--steps 600] [--every 4] [--output table.md]

FOLDER is as `benchmarks/radiographs.py` describes it. The network is the encoder and decoder of the embeddings with one heat
map for each landmark instead of a vector, with about as many parameters as the model of radiographs. It is trained on the
first N films of a fixed order that begins with film 125; their looks are varied as in the training without labels.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from radiographs import COPIES, PIXEL_MM, SDR_MM, TEMPLATE, TESTS, TRAINING, Films, row
from torch import Tensor
from torch.nn import functional

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.models.network import BranchConfig, EmbeddingBranch
from SAMLandmarkLib.training.film_appearance import vary_film
from SAMLandmarkLib.training.levels import FILM_COARSE, FILM_WINDOW

NETWORK = BranchConfig((24, 48, 72, 96, 112), (1, 1, 1, 1, 1), 19, FILM_WINDOW, 2)
POOLING = 2
CELL_MM = 2 * POOLING * PIXEL_MM
SIDES = (400, 336)
TARGET_SD_MM = 1.5
BATCH = 4
ROTATION_DEGREES, LOG_SCALE, SHIFT_MM = 12.0, 0.15, 10.0
WARM_UP_STEPS, AVERAGE = 30, 0.99
PEAK_RADIUS = 2
LOOKS = dataclasses.replace(FILM_COARSE, hidden_voxels=(20, 90))


class LabelledFilms(Films):
    """Films as small images `[1,H,W]` on one canvas, grey values from 0 to 1, and their points in mm."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, engine=None)  # type: ignore[arg-type]  # nothing is embedded here
        self._images: dict[int, Tensor] = {}

    def image(self, number: int) -> Tensor:
        if number not in self._images:
            values = torch.from_numpy(
                Volume.read(self.path(number), pixel_spacing_mm=PIXEL_MM).array[0]
            ).float()
            low, high = torch.quantile(values.flatten()[::16], torch.tensor([0.005, 0.995]))
            small = functional.avg_pool2d(((values - low) / (high - low)).clamp(0, 1)[None], POOLING)
            canvas = torch.zeros(1, *SIDES)
            height, width = (min(a, b) for a, b in zip(small.shape[1:], SIDES, strict=True))
            canvas[:, :height, :width] = small[:, :height, :width]
            self._images[number] = canvas
        return self._images[number]


def varied(image: Tensor, points_mm: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The image `[1,H,W]` and its points `(n,2)` turned, scaled, shifted and with other looks."""
    angle = np.radians(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    scale = np.exp(rng.uniform(-LOG_SCALE, LOG_SCALE))
    turn = scale * torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).float()
    pixel_mm = POOLING * PIXEL_MM
    middle = pixel_mm * torch.tensor([SIDES[1], SIDES[0]]).float() / 2
    shift = torch.from_numpy(rng.uniform(-SHIFT_MM, SHIFT_MM, 2)).float()
    moved = (points_mm - middle) @ torch.linalg.inv(turn).T + middle - shift
    rows, columns = torch.meshgrid(*(torch.arange(side) + 0.5 for side in SIDES), indexing="ij")
    places = (torch.stack([columns, rows], dim=-1) * pixel_mm + shift - middle) @ turn.T + middle
    grid = places / pixel_mm / torch.tensor([SIDES[1], SIDES[0]]) * 2 - 1
    sampled = functional.grid_sample(image[None], grid[None], align_corners=False)[0]
    return vary_film(sampled, LOOKS, rng), moved


def loss_of(maps: Tensor, points_mm: Tensor) -> Tensor:
    """Cross-entropy of the heat maps `[B,L,H,W]` against Gaussians about the points `[B,L,2]`."""
    rows, columns = ((torch.arange(side) + 0.5) * CELL_MM for side in maps.shape[2:])
    squared = (rows[:, None] - points_mm[..., 1, None, None]) ** 2 + (
        columns - points_mm[..., 0, None, None]
    ) ** 2
    target = functional.softmax(-squared.flatten(2) / (2 * TARGET_SD_MM**2), dim=2)
    return -(target * functional.log_softmax(maps.flatten(2), dim=2)).sum(dim=2).mean()


def train(films: LabelledFilms, numbers: list[int], steps: int, rate: float) -> EmbeddingBranch:
    """The moving average of a network trained on films with their points."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = EmbeddingBranch(NETWORK)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=WARM_UP_STEPS / steps
    )
    truth = dict(zip(numbers, torch.from_numpy(films.truth(numbers)).float(), strict=True))
    for _ in range(steps):
        chosen = [numbers[index] for index in rng.integers(len(numbers), size=BATCH)]
        # pixel centres are at whole numbers in the points, at halves on the canvas
        pairs = [varied(films.image(n), truth[n] + PIXEL_MM / 2, rng) for n in chosen]
        images, points = (torch.stack(part) for part in zip(*pairs, strict=True))
        loss = loss_of(network(images[:, :, None])[:, :, 0], points)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
    trained: EmbeddingBranch = averaged.module.eval()
    return trained


def places(network: EmbeddingBranch, image: Tensor) -> np.ndarray:
    """Where the heat maps are highest, `(n,2)` mm, to a fraction of a cell."""
    with torch.inference_mode():
        maps = network(image[None, :, None])[0, :, 0]
    shares = functional.softmax(maps.flatten(1), dim=1).reshape(maps.shape)
    result = []
    for share in shares:
        best = divmod(int(share.argmax()), share.shape[1])
        rows, columns = (slice(max(index - PEAK_RADIUS, 0), index + PEAK_RADIUS + 1) for index in best)
        window = share[rows, columns]
        row_places = torch.arange(rows.start, rows.start + window.shape[0]) + 0.5
        column_places = torch.arange(columns.start, columns.start + window.shape[1]) + 0.5
        x = float((window.sum(0) * column_places).sum() / window.sum())
        y = float((window.sum(1) * row_places).sum() / window.sum())
        result.append((x * CELL_MM - PIXEL_MM / 2, y * CELL_MM - PIXEL_MM / 2))
    return np.array(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labelled", type=int, nargs="+", default=[1, 5, 10, 25, 50, 100, 150])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    films = LabelledFilms(arguments.folder)
    others = [number for number in TRAINING if number != TEMPLATE]
    order = [TEMPLATE, *np.random.default_rng(0).permutation(others).tolist()]
    tests = [number for number in TESTS if number not in COPIES][:: arguments.every]
    truth = films.truth(tests)
    shares = " | ".join(f"{limit:g}" for limit in SDR_MM)
    lines = [f"| labelled films | MRE mm | median | SDR {shares} |", "|---|---|---|---|---|---|---|"]
    for count in arguments.labelled:
        started = time.perf_counter()
        network = train(films, order[:count], arguments.steps, arguments.learning_rate)
        found = np.array([places(network, films.image(number)) for number in tests])
        lines.append(row(str(count), np.linalg.norm(found - truth, axis=-1)))
        print(lines[-1], f"{time.perf_counter() - started:.0f} s", flush=True)
        if arguments.output:
            arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
