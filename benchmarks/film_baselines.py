"""Other ways to carry the landmarks of one marked cephalogram to the others, beside SAMLandmark, in one run.

    python benchmarks/film_baselines.py FOLDER [--every 4] [--methods ncc elastix] [--output table.md]

FOLDER is as `benchmarks/radiographs.py` describes it. Template is film 125. What a method has to choose (the size of a patch,
how far it searches) is chosen by the errors on some training films, which is more than SAMLandmark gets. elastix needs the
extra `bench`.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from radiographs import COPIES, PIXEL_MM, SDR_MM, TEMPLATE, TESTS, TRAINING, Films, row
from scipy.ndimage import gaussian_filter, uniform_filter, zoom
from scipy.signal import fftconvolve

from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.baselines.baseline import missing_packages
from SAMLandmarkLib.models.registry import bundled_model

POOLING = 2
SEARCH_MM = POOLING * PIXEL_MM
TUNING_EVERY = 30
REACHES_MM = (20.0, 30.0, 300.0)
"""How far from the template's place is searched; the last one is the whole film."""
PATCHES_MM = (12.0, 24.0, 40.0, 60.0)
LEAST_VARIANCE = 1e-4
CELLS_MM = (2.4, 4.8, 9.6, 14.4)
DIRECTIONS, CELLS, CLIPPED = 8, 4, 0.2
SIFT_STEP = 2


class Method(ABC):
    """Finds the template's landmarks in a film; `timed` is whether it looks at the film at all."""

    timed = False

    def __init__(self, films: Films) -> None:
        self.films = films
        self.template_mm = films.truth([TEMPLATE])[0]

    def tune(self, numbers: Sequence[int]) -> str:
        """Choose by films with known points; what was chosen, in words."""
        return ""

    @abstractmethod
    def places(self, number: int) -> np.ndarray:
        """Where the landmarks are in film `number`, `(landmarks, 2)` mm."""


class SamLandmark(Method):
    """The model of radiographs; a landmark that it calls MISSING counts at its best candidate."""

    timed = True

    def places(self, number: int) -> np.ndarray:
        return self.films.answers([TEMPLATE], [self.films.embedded(number)]).places[0]


class Copied(Method):
    """Every film is the template."""

    def places(self, number: int) -> np.ndarray:
        return self.template_mm


class MeanPosition(Method):
    """The mean of all training films, with the points of each: the one method here that knows more than one film."""

    def tune(self, numbers: Sequence[int]) -> str:
        self.mean_mm = self.films.truth(TRAINING).mean(axis=0)
        return f"points of {len(TRAINING)} films"

    def places(self, number: int) -> np.ndarray:
        return self.mean_mm


class Oracle(Method):
    """The best map of one kind, fitted to the film's true points."""

    def __init__(self, films: Films, design: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(films)
        self.design = design(self.template_mm)

    def places(self, number: int) -> np.ndarray:
        truth = self.films.truth([number])[0].ravel()
        return (self.design @ np.linalg.lstsq(self.design, truth, rcond=None)[0]).reshape(-1, 2)


def similarity_design(points: np.ndarray) -> np.ndarray:
    """Rows of x and y in turn, linear in scale and turn `(a, b)` and shift."""
    x, y = points.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    return np.stack(
        [np.column_stack([x, -y, one, zero]), np.column_stack([y, x, zero, one])], axis=1
    ).reshape(-1, 4)


def affine_design(points: np.ndarray) -> np.ndarray:
    """Rows of x and y in turn, linear in the six numbers of an affine map."""
    return np.kron(np.column_stack([points, np.ones(len(points))]), np.eye(2))


class Search(Method):
    """The place of highest score within a distance of the template's place; scale and distance are chosen."""

    timed = True
    scales_mm: Sequence[float]

    def __init__(self, films: Films) -> None:
        super().__init__(films)
        self.scale_mm, self.reach_mm = self.scales_mm[0], REACHES_MM[0]
        self.template = self._image(TEMPLATE)

    def _image(self, number: int) -> np.ndarray:
        """The film, averaged to pixels of SEARCH_MM, grey values about 0."""
        film = self.films.volume(number).array[0].astype(np.float32)
        small = zoom(gaussian_filter(film, POOLING / 2), 1 / POOLING, order=1, grid_mode=True, mode="nearest")
        return (small - small.mean()) / small.std()

    @abstractmethod
    def scores(self, image: np.ndarray, scale_mm: float) -> Iterable[np.ndarray]:
        """Of each landmark a map of scores over the image."""

    def tune(self, numbers: Sequence[int]) -> str:
        errors: dict[tuple[float, float], list[float]] = {}
        for number, scale in itertools.product(numbers, self.scales_mm):
            maps = list(self.scores(self._image(number), scale))
            for reach in REACHES_MM:
                wrong = self._best(maps, reach) - self.films.truth([number])[0]
                errors.setdefault((scale, reach), []).append(float(np.linalg.norm(wrong, axis=1).mean()))
        self.scale_mm, self.reach_mm = min(errors, key=lambda choice: np.mean(errors[choice]))
        reach = f"within {self.reach_mm:g} mm" if self.reach_mm < REACHES_MM[-1] else "whole film"
        return f"{self.scale_mm:g} mm, {reach}"

    def places(self, number: int) -> np.ndarray:
        return self._best(self.scores(self._image(number), self.scale_mm), self.reach_mm)

    def _best(self, maps: Iterable[np.ndarray], reach_mm: float) -> np.ndarray:
        found = []
        for score, place in zip(maps, self.template_mm, strict=True):
            y, x = (film_mm(np.arange(size)) for size in score.shape)
            near = np.hypot(y[:, None] - place[1], x[None] - place[0]) <= reach_mm
            best = np.unravel_index(np.where(near, score, -np.inf).argmax(), score.shape)
            found.append([x[best[1]], y[best[0]]])
        return np.array(found)


def film_mm(index: np.ndarray) -> np.ndarray:
    """Place in the film, mm, of the middle of a pixel of the averaged image."""
    return index * SEARCH_MM + (SEARCH_MM - PIXEL_MM) / 2


def nearest_pixel(place_mm: np.ndarray, shape: Sequence[int]) -> tuple[int, int]:
    """Row and column in the averaged image."""
    column, line = np.rint((place_mm - (SEARCH_MM - PIXEL_MM) / 2) / SEARCH_MM).astype(int)
    return min(max(int(line), 0), shape[0] - 1), min(max(int(column), 0), shape[1] - 1)


class PatchCorrelation(Search):
    """Normalised cross-correlation with a square patch about the landmark; films are mirrored at their edges."""

    scales_mm = PATCHES_MM

    def scores(self, image: np.ndarray, scale_mm: float) -> Iterable[np.ndarray]:
        half = round(scale_mm / SEARCH_MM / 2)
        side = 2 * half + 1
        variance = uniform_filter(image**2, side) - uniform_filter(image, side) ** 2
        deviation = np.sqrt(np.maximum(variance, LEAST_VARIANCE))
        film, template = (np.pad(values, half, mode="symmetric") for values in (image, self.template))
        for place in self.template_mm:
            line, column = nearest_pixel(place, image.shape)
            patch = template[line : line + side, column : column + side]
            yield fftconvolve(film, (patch - patch.mean())[::-1, ::-1], mode="valid") / side**2 / deviation


class DenseSift(Search):
    """The upright SIFT descriptor of the landmark against that of every other pixel: 4 x 4 cells, 8 directions."""

    scales_mm = CELLS_MM

    def __init__(self, films: Films) -> None:
        super().__init__(films)
        self._own: dict[float, torch.Tensor] = {}

    def scores(self, image: np.ndarray, scale_mm: float) -> Iterable[np.ndarray]:
        described = descriptors(image, scale_mm, SIFT_STEP)
        if scale_mm not in self._own:
            lines, columns = np.array([nearest_pixel(place, image.shape) for place in self.template_mm]).T
            self._own[scale_mm] = descriptors(self.template, scale_mm, 1)[:, lines, columns]
        for similarity in torch.einsum("chw,cn->nhw", described, self._own[scale_mm]):
            score = np.full(image.shape, -np.inf)
            score[::SIFT_STEP, ::SIFT_STEP] = similarity
            yield score


def descriptors(image: np.ndarray, cell_mm: float, step: int) -> torch.Tensor:
    """SIFT descriptors `[128,H,W]` at every `step`-th pixel, of fixed size and direction (Lowe 2004; dense as in VLFeat)."""
    cell = round(cell_mm / SEARCH_MM)
    smooth = gaussian_filter(image, cell / 3)
    down, right = np.gradient(smooth)
    angle = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
    strength = torch.from_numpy(np.hypot(down, right)).float()
    away = torch.from_numpy(np.abs((angle[None] - np.arange(DIRECTIONS)[:, None, None] + 4) % 8 - 4)).float()
    # each gradient is shared by its two nearest directions, and by its nearest cells
    maps = strength * (1 - away).clamp(min=0)
    slope = torch.arange(1 - cell, cell).abs().sub(cell).neg().float() / cell**2
    across = torch.nn.functional.conv2d(maps[:, None], slope[None, None, None], padding=(0, cell - 1))
    pooled = torch.nn.functional.conv2d(across, slope[None, None, :, None], padding=(cell - 1, 0))[:, 0]
    reach = round((CELLS - 1) / 2 * cell)
    padded = torch.nn.functional.pad(pooled, [reach] * 4)
    height, width = image.shape
    offsets = [round(number * cell) for number in range(CELLS)]
    parts = [
        padded[:, down : down + height : step, right : right + width : step]
        for down, right in itertools.product(offsets, repeat=2)
    ]
    unit = torch.nn.functional.normalize(torch.cat(parts), dim=0).clamp(max=CLIPPED)
    return torch.nn.functional.normalize(unit, dim=0)


class Elastix(Method):
    """The default maps rigid, affine and B-spline of itk-elastix, as in `samlandmark benchmark`."""

    timed = True

    def places(self, number: int) -> np.ndarray:
        from SAMLandmarkLib.evaluation.baselines.elastix import carried_points

        return carried_points(self._image(TEMPLATE), self._image(number), self.template_mm)

    def _image(self, number: int) -> object:
        import itk

        image = itk.image_from_array(self.films.volume(number).array[0].astype(np.float32))
        image.SetSpacing([PIXEL_MM] * 2)
        return image


METHODS: dict[str, tuple[str, Callable[[Films], Method]]] = {
    "samlandmark": ("SAMLandmark", SamLandmark),
    "copied": ("the template's own coordinates", Copied),
    "mean": ("mean position", MeanPosition),
    "similarity": ("best similarity to the true points", lambda films: Oracle(films, similarity_design)),
    "affine": ("best affine map to the true points", lambda films: Oracle(films, affine_design)),
    "ncc": ("patches, normalised cross-correlation", PatchCorrelation),
    "sift": ("SIFT descriptors", DenseSift),
    "elastix": ("elastix rigid + affine + B-spline", Elastix),
}


def measured(name: str, films: Films, tests: Sequence[int]) -> str:
    """The row of one method."""
    title, make = METHODS[name]
    method = make(films)
    chosen = method.tune([number for number in TRAINING[::TUNING_EVERY] if number != TEMPLATE])
    method.places(TRAINING[0])  # what is made once (models, the template) is not part of the time
    started = time.process_time()
    errors = np.linalg.norm(
        np.array([method.places(number) for number in tests]) - films.truth(tests), axis=-1
    )
    seconds = f"{(time.process_time() - started) / len(tests):.2g}" if method.timed else "–"
    return f"{row(f'{title} ({chosen})' if chosen else title, errors)} {seconds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=bundled_model("radiograph"))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    missing = missing_packages(("itk",))
    if "elastix" in arguments.methods and missing:
        parser.error(f"elastix is {missing}; pip install samlandmark[bench]")
    films = Films(arguments.folder, TransferEngine("cpu", arguments.model))
    tests = [number for number in TESTS if number not in COPIES][:: arguments.every]
    shares = " | ".join(f"{limit:g}" for limit in SDR_MM)
    lines = [
        f"{len(tests)} films, template {TEMPLATE}.",
        "",
        f"| method | MRE mm | median | SDR {shares} | CPU s a film |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in arguments.methods:
        lines.append(measured(name, films, tests))
        print(lines[-1], flush=True)
        if arguments.output:
            arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
