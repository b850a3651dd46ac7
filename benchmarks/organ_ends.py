"""How well thresholds find the ends of organs that steer matching between patients (SAMLandmarkLib/core/organ_ends.py).

    python benchmarks/organ_ends.py DATA [--set chest ...] [--pictures FOLDER]

DATA is a folder of test sets as for `samlandmark evaluate`, or of scans without landmarks. Of every end: in how many scans it
was found, and how far from where a reader marked it. `--pictures` draws what was found, for eyes to judge.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from SAMLandmarkLib.core.organ_ends import SIGMA_MM
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedding import Image
from SAMLandmarkLib.embedding.prepared import PreparedVolume
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.sets import WORST_SCORED_QUALITY, AnnotatedVolume
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.io.volume_paths import volume_files, volume_name

SPACING_MM = 2.0
SHOWN_VOXELS, COLUMNS = 50, 8
WINDOW_HU = (-1000.0, 400.0)
HEADER = ("end", "found", "marked", "both", "mean / median / largest mm")


def image_of(path: Path) -> Image:
    """A scan as it is embedded, without its vectors."""
    prepared = PreparedVolume.of(Volume.read(path), SPACING_MM)
    return Image(torch.from_numpy(prepared.canonical.array), prepared.canonical.grid, prepared.modality)


def marked_in(path: Path) -> dict[str, np.ndarray]:
    """A reader's landmarks `(3,)` (LPS mm), none where there is no table beside the scan."""
    if not path.with_name(f"{volume_name(path)}.csv").is_file():
        return {}
    scan = AnnotatedVolume.read(path)
    scored = {label for label, quality in scan.quality.items() if quality <= WORST_SCORED_QUALITY}
    return {label: point for label, point in scan.position_of.items() if label in scored}


def draw(pictures: list[tuple[str, Image, np.ndarray]], path: Path) -> None:
    """Coronal cuts through what was found."""
    from matplotlib.figure import Figure

    rows = -(-len(pictures) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3 * rows), layout="tight")
    for number, (title, image, end_lps) in enumerate(pictures, start=1):
        x, y, z = image.grid.index_from_lps(end_lps)
        axes = figure.add_subplot(rows, COLUMNS, number)
        axes.imshow(
            image.values[:, round(y)], cmap="gray", origin="lower", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1]
        )
        axes.plot(x, z, "r+", markersize=12)
        axes.set(xlim=(x - SHOWN_VOXELS, x + SHOWN_VOXELS), ylim=(z - SHOWN_VOXELS, z + SHOWN_VOXELS))
        axes.set_title(title, fontsize=8)
        axes.axis("off")
    figure.savefig(path, dpi=60)


@dataclass
class Found:
    """What was found of one end in all scans."""

    scans: int = 0
    marked: int = 0
    errors_mm: list[float] = field(default_factory=list)
    pictures: list[tuple[str, Image, np.ndarray]] = field(default_factory=list)

    def add(
        self, title: str, image: Image, end_lps: np.ndarray | None, marked_lps: np.ndarray | None
    ) -> None:
        self.scans += end_lps is not None
        self.marked += marked_lps is not None
        if end_lps is not None:
            self.pictures.append((title, image, end_lps))
            if marked_lps is not None:
                self.errors_mm.append(float(np.linalg.norm(end_lps - marked_lps)))

    def row(self, name: str) -> tuple[str, ...]:
        errors = self.errors_mm
        said = f"{np.mean(errors):.1f} / {np.median(errors):.1f} / {max(errors):.1f}" if errors else "–"
        return name, str(self.scans), str(self.marked), str(len(errors)), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    folders = [arguments.data / name for name in arguments.sets] or [arguments.data]
    ends, seconds = {name: Found() for name in SIGMA_MM}, []
    for path in [path for folder in folders for path in volume_files(folder)]:
        image, marked = image_of(path), marked_in(path)
        started = time.perf_counter()
        found = image.organ_ends_lps
        seconds.append(time.perf_counter() - started)
        for name, end in ends.items():
            end.add(volume_name(path), image, found.get(name), marked.get(name))
    print(markdown_table(HEADER, [end.row(name) for name, end in ends.items()]))
    print(f"{len(seconds)} scans, {np.median(seconds):.2f} s each (median)")
    print(json.dumps(describe_run()))
    if arguments.pictures is not None:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for name, end in ends.items():
            if end.pictures:
                draw(end.pictures, arguments.pictures / f"{name}.png")


if __name__ == "__main__":
    main()
