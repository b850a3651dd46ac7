"""Landmarks of one marked radiograph in every other film: the cephalograms of the ISBI 2015 challenge.

    python benchmarks/radiographs.py FOLDER [--model radiograph.safetensors] [--every 4] [--output table.md]

FOLDER holds images/NNN.jpg (0.3 mm pixels) and landmarks.csv (image, landmark, x_mean, y_mean and those of each reader, in
pixels). Tests are the films 151 to 400 without 173 and 283, which are copies of training films.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedding import Embedding
from SAMLandmarkLib.engine.template_choice import rank_templates
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.records import best_position
from SAMLandmarkLib.models.registry import bundled_model

PIXEL_MM = 0.3
LIMIT_MM = 4.0
TRAINING, TESTS, COPIES = range(1, 151), range(151, 401), (173, 283)
TEMPLATE = 125
RANDOM_TEMPLATES, FUSED = 10, 5
SDR_MM = (2.0, 2.5, 3.0, 4.0)
BINS = 10
DISTURBED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda film: film[:, ::-1],
    "upside down": lambda film: film[::-1],
    "turned by 90 degrees": np.rot90,
    "inverted": lambda film: film.max() - film,
}


@dataclass(frozen=True)
class Answers:
    """Errors in mm, confidences and whether FOUND was said, `(films, landmarks)` each; places `(films, landmarks, 2)`."""

    places: np.ndarray
    confidence: np.ndarray
    found: np.ndarray

    def errors(self, truth: np.ndarray) -> np.ndarray:
        distance: np.ndarray = np.linalg.norm(self.places - truth, axis=-1)
        return np.where(np.isfinite(distance), distance, np.inf)


class Films:
    """The films of the set, each embedded once, and the readers' landmarks."""

    def __init__(self, folder: Path, engine: TransferEngine) -> None:
        self.folder, self.engine = folder, engine
        self.seconds = 0.0
        self._embedded: dict[int, Embedding] = {}
        with open(folder / "landmarks.csv", encoding="utf-8") as file:
            self.rows = list(csv.DictReader(file))
        self.readers = [name.removeprefix("x_") for name in self.rows[0] if name.startswith("x_")]

    def path(self, number: int) -> Path:
        return self.folder / "images" / f"{number:03d}.jpg"

    def volume(self, number: int) -> Volume:
        return Volume.read(self.path(number), pixel_spacing_mm=PIXEL_MM)

    def embedded(self, number: int) -> Embedding:
        if number not in self._embedded:
            started = time.perf_counter()
            self._embedded[number] = self.engine.embed(self.volume(number))
            self.seconds += time.perf_counter() - started
        return self._embedded[number]

    def truth(self, numbers: Sequence[int], reader: str = "mean") -> np.ndarray:
        """Places `(films, landmarks, 2)` in mm."""
        names = {number: f"{number:03d}" for number in numbers}
        of_film = {
            name: [row for row in self.rows if Path(row["image"]).stem == name] for name in names.values()
        }
        return PIXEL_MM * np.array(
            [
                [[float(row[f"{axis}_{reader}"]) for axis in "xy"] for row in of_film[names[number]]]
                for number in numbers
            ]
        )

    def landmarks(self, number: int) -> LandmarkSet:
        places = self.truth([number])[0]
        points = np.column_stack([places, np.zeros(len(places))])
        return LandmarkSet.from_points([str(index + 1) for index in range(len(points))], points)

    def answers(self, templates: Sequence[int], targets: Sequence[Embedding]) -> Answers:
        """The landmarks of the templates together in each target."""
        first, *others = [(self.embedded(number), self.landmarks(number)) for number in templates]
        results = [self.engine.transfer(*first, target, extra_templates=others) for target in targets]
        return Answers(
            np.array([[best_position(item)[:2] for item in result] for result in results]),
            np.array([[item.confidence for item in result] for result in results], dtype=float),
            np.array([[item.status.value == "FOUND" for item in result] for result in results]),
        )


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Probability that a right answer has a higher score than a wrong one."""
    order = np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1.0
    for value in np.unique(score):
        order[score == value] = order[score == value].mean()
    positive = int(right.sum())
    rest = len(right) - positive
    return (
        float((order[right].sum() - positive * (positive + 1) / 2) / (positive * rest))
        if positive * rest
        else np.nan
    )


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [
        np.abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(np.sum(parts))


def row(name: str, errors: np.ndarray) -> str:
    shares = " | ".join(f"{100 * (errors < limit).mean():.1f}" for limit in SDR_MM)
    return f"| {name} | {errors.mean():.2f} | {np.median(errors):.2f} | {shares} |"


def accuracy_table(
    films: Films, tests: Sequence[int], chosen: list[int], random: list[int]
) -> tuple[list[str], Answers]:
    targets = [films.embedded(number) for number in tests]
    answers = {
        number: films.answers([number], targets) for number in dict.fromkeys([TEMPLATE, chosen[0], *random])
    }
    lines = [
        "| template, truth | MRE mm | median | SDR 2 mm | 2.5 | 3 | 4 |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        row(f"{TEMPLATE}, {reader}", answers[TEMPLATE].errors(films.truth(tests, reader)))
        for reader in films.readers
    ]
    truth = films.truth(tests)
    lines.append(row(f"chosen automatically ({chosen[0]}), mean", answers[chosen[0]].errors(truth)))
    every = np.concatenate([answers[number].errors(truth) for number in random])
    lines.append(row(f"each of {len(random)} random ones, mean", every))
    lines.append(row(f"{FUSED} chosen, fused, mean", films.answers(chosen[:FUSED], targets).errors(truth)))
    return lines, answers[TEMPLATE]


def confidence_lines(answers: Answers, truth: np.ndarray) -> list[str]:
    right = answers.errors(truth) <= LIMIT_MM
    confidence = answers.confidence.ravel()
    found = answers.found
    return [
        f"Confidence that the error is at most {LIMIT_MM:g} mm: AUROC {auroc(confidence, right.ravel()):.3f}, expected "
        f"calibration error {calibration_error(confidence, right.ravel()):.3f}. FOUND is said of {100 * found.mean():.0f} %, "
        f"{100 * right[found].mean():.1f} % of them are within {LIMIT_MM:g} mm.",
    ]


def disturbed_lines(films: Films, tests: Sequence[int]) -> list[str]:
    """How often FOUND is said of a wrong place in films that were spoilt."""
    lines = ["| film | FOUND | FOUND and wrong |", "|---|---|---|"]
    for name, change in DISTURBED.items():
        found, wrong = [], []
        for number in tests:
            volume = films.volume(number)
            changed = Volume(
                np.ascontiguousarray(change(volume.array[0]))[None],
                volume.ijk_to_lps,
                name,
                modality=volume.modality,
            )
            answers = films.answers([TEMPLATE], [films.engine.embed(changed)])
            truth = _moved(films.truth([number])[0], volume.size_ijk, name)
            found.append(answers.found)
            wrong.append(answers.found & (answers.errors(truth[None]) > LIMIT_MM))
        lines.append(f"| {name} | {100 * np.mean(found):.1f} % | {100 * np.mean(wrong):.1f} % |")
    return lines


def _moved(places: np.ndarray, size_ijk: Sequence[int], name: str) -> np.ndarray:
    """Where places `(n,2)` mm lie in a film that was changed."""
    last = (np.array(size_ijk[:2]) - 1) * PIXEL_MM
    x, y = places.T
    return {
        "mirrored": np.column_stack([last[0] - x, y]),
        "upside down": np.column_stack([x, last[1] - y]),
        "turned by 90 degrees": np.column_stack([y, last[0] - x]),
    }.get(name, places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=bundled_model("radiograph"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--partners", type=int, default=24)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    films = Films(arguments.folder, TransferEngine("cpu", arguments.model))
    tests = [number for number in TESTS if number not in COPIES][:: arguments.every]
    numbers = {films.path(number): number for number in TRAINING}
    ranked = rank_templates(list(numbers), lambda path: films.embedded(numbers[path]), arguments.partners)
    chosen = [numbers[score.path] for score in ranked]
    random = sorted(np.random.default_rng(0).choice(list(TRAINING), RANDOM_TEMPLATES, replace=False).tolist())
    films.seconds, started = 0.0, time.perf_counter()
    table, answers = accuracy_table(films, tests, chosen, random)
    seconds = films.seconds + (time.perf_counter() - started - films.seconds) / (RANDOM_TEMPLATES + 2 + FUSED)
    lines = [
        f"{len(tests)} films, random templates {random}, five chosen {chosen[:FUSED]}.", "", *table, "",
        *confidence_lines(answers, films.truth(tests)), "",
        *disturbed_lines(films, tests[::8]), "",
        f"About {len(tests) / seconds:.1f} films a second, reading, embedding and matching.",
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
