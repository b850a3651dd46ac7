"""What the model of radiographs does on films that anybody may have: parallel projections of the bundled CT, and of heads.

    python benchmarks/reconstructed_films.py [--mr-data FOLDER] [--every 1] [--output table.md] [--picture films.png]

The true places are the projected ones of the CT's points. With FOLDER, which `benchmarks/brain_mr.py` describes, heads made
of its label maps are seen from the side, as on the cephalograms that the model knows, and the points are middles of
structures. Needs the extra `pictures` for the picture.
"""

from __future__ import annotations

import argparse
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from radiographs import LIMIT_MM
from scipy.ndimage import gaussian_filter, zoom

from SAMLandmarkLib.core.geometry import transform_points
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.modality import MR_BRAIN, RADIOGRAPH
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.records import best_position
from SAMLandmarkLib.models.registry import bundled_model
from SAMLandmarkLib.utils.bundled import bundled_folder

PIXEL_MM, VOXEL_MM = 0.6, 1.5
BONE_HU, BONE_WEIGHT = 150.0, 2.0
"""Above BONE_HU a voxel weighs more than its HU say, as with the lower voltages of radiographs."""
GREY_VALUES = 4000
DARKEST, BRIGHTEST = 0.005, 0.995
VIEWS = {"front": (1, 0), "side": (2, 1)}
"""Axis of `[z,y,x]` along which is projected, and axis (i,j,k) that runs across the film."""
TURN_DEGREES, TILT_DEGREES, SHIFT_MM = 4.0, 3.0, (6.0, -4.0, 5.0)
TEMPLATE_HEAD, OTHER_HEADS = 2, (1, *range(3, 21))
HEAD_WEIGHTS = {501: 0.0, 515: 3.2, 516: 1.8}
"""Attenuation of air, compact and spongy bone in a label map; whatever else is in the head is water."""
FOUND_COLOUR, TRUE_COLOUR, NUMBER_COLOUR = MARKS = ("#35d6e6", "#ff6ad5", "#ffd75e")
STRENGTHS = 8
STRUCTURES = {
    "optic chiasm": (85,),
    "eyes": (506,),
    "brain stem": (16,),
    "cerebellum": (7, 8, 46, 47),
    "thalamus": (10, 49),
    "putamen": (12, 51),
    "fourth ventricle": (15,),
    "hippocampus": (17, 53),
    "optic nerve": (530,),
}


@dataclass(frozen=True)
class Body:
    """What a film is made of: attenuation `[z,y,x]` on LPS axes of VOXEL_MM, and points `(n,3)` as indices (i,j,k).

    A point that is not there is NaN.
    """

    attenuation: np.ndarray
    labels: tuple[str, ...]
    points_ijk: np.ndarray

    def film(self, view: str, name: str) -> Volume:
        """Bone bright; the head up, and from the side the face to the right."""
        along, across = VIEWS[view]
        projected = gaussian_filter(self.attenuation.sum(axis=along), 0.4)[::-1]
        projected = projected[:, ::-1] if across == 1 else projected
        fine = zoom(projected, VOXEL_MM / PIXEL_MM, order=1, grid_mode=True, mode="nearest")
        low, high = np.quantile(fine, (DARKEST, BRIGHTEST))
        values = GREY_VALUES * np.clip((fine - low) / (high - low), 0, 1)
        spacing = np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0])
        return Volume(values[None].astype(np.float32), spacing, name, modality=RADIOGRAPH)

    def on_film(self, view: str, chosen: np.ndarray) -> LandmarkSet:
        """The `chosen` points projected, in mm of the film."""
        across = VIEWS[view][1]
        size = np.array(self.attenuation.shape[::-1])
        columns = self.points_ijk[chosen, across]
        columns = size[1] - 1 - columns if across == 1 else columns
        rows = size[2] - 1 - self.points_ijk[chosen, 2]
        places = (np.column_stack([columns, rows]) + 0.5) * VOXEL_MM - PIXEL_MM / 2
        return LandmarkSet.from_points(
            [self.labels[index] for index in chosen], np.column_stack([places, np.zeros(len(places))])
        )


@dataclass(frozen=True)
class Pair:
    """A marked film and another one, whose points are known."""

    template: Volume
    landmarks: LandmarkSet
    target: Volume
    truth: LandmarkSet

    @classmethod
    def of(cls, template: Body, target: Body, view: str) -> Pair:
        """The points that both have; some label maps lack a small structure."""
        both = np.isfinite(template.points_ijk) & np.isfinite(target.points_ijk)
        chosen = np.flatnonzero(both.all(axis=1))
        films = [body.film(view, name) for body, name in ((template, "template"), (target, "target"))]
        return cls(films[0], template.on_film(view, chosen), films[1], target.on_film(view, chosen))


@dataclass(frozen=True)
class Answer:
    """Where the points of a pair were found, `(n,2)` mm, and of which FOUND was said."""

    pair: Pair
    places: np.ndarray
    found: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        distance: np.ndarray = np.linalg.norm(self.places - self.pair.truth.positions_lps[:, :2], axis=1)
        return distance

    @property
    def copied(self) -> np.ndarray:
        """Errors of the template's own coordinates, mm."""
        moved = self.pair.landmarks.positions_lps - self.pair.truth.positions_lps
        distance: np.ndarray = np.linalg.norm(moved[:, :2], axis=1)
        return distance


def answer(engine: TransferEngine, pair: Pair) -> Answer:
    result = engine.transfer(engine.embed(pair.template), pair.landmarks, pair.target)
    places = np.array([best_position(item)[:2] for item in result])
    return Answer(pair, places, np.array([item.status.value == "FOUND" for item in result]))


def scanned(name: str, labels: tuple[str, ...], moved: np.ndarray | None = None) -> Body:
    """A scan of the bundled pair with its points in the order of `labels`, moved by a 4x4 map of LPS mm."""
    folder = bundled_folder("SampleData")
    volume = Volume.read(folder / f"{name}.nii.gz")
    marks = LandmarkSet.read(folder / f"{name}.csv", csv_frame="LPS")
    by_label = {mark.label: mark.position_lps for mark in marks}
    motion = np.eye(4) if moved is None else moved
    canonical = Volume(volume.array, motion @ volume.ijk_to_lps).canonical(VOXEL_MM)
    points = transform_points(motion, np.array([by_label[label] for label in labels]))
    water = np.clip(canonical.array + 1000, 0, None) / 1000
    bone = BONE_WEIGHT * np.clip(canonical.array - BONE_HU, 0, None) / 1000
    return Body(water + bone, labels, canonical.grid.index_from_lps(points))


def motion_about(middle_lps: np.ndarray) -> np.ndarray:
    """4x4 map of LPS mm: turned about the long axis, tilted about the line of sight from the front, and shifted."""
    turn, tilt = np.radians([TURN_DEGREES, TILT_DEGREES])
    about_s = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_p = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    motion = np.eye(4)
    motion[:3, :3] = about_p @ about_s
    motion[:3, 3] = middle_lps - motion[:3, :3] @ middle_lps + SHIFT_MM
    return motion


def bundled_pairs() -> Iterator[tuple[str, list[Pair]]]:
    marks = LandmarkSet.read(bundled_folder("SampleData") / "template.csv", csv_frame="LPS")
    labels = tuple(mark.label for mark in marks)
    template, follow_up = scanned("template", labels), scanned("followup", labels)
    turned = scanned("template", labels, motion_about(marks.positions_lps.mean(axis=0)))
    for view in VIEWS:
        yield f"abdomen, {view}, 33 days later", [Pair.of(template, follow_up, view)]
        yield f"abdomen, {view}, the same scan turned", [Pair.of(template, turned, view)]


def head(data: Path, number: int) -> Body:
    """The head of a label map; structures are taken with both sides."""
    labels = Volume.read(
        data / "label-maps" / f"subject-{number:02d}.nii.gz", modality=MR_BRAIN
    ).array.astype(int)
    attenuation = (labels > 0).astype(float)
    for label, weight in HEAD_WEIGHTS.items():
        attenuation[labels == label] = weight
    middles = [np.argwhere(np.isin(labels, group)).mean(axis=0)[::-1] for group in STRUCTURES.values()]
    return Body(attenuation, tuple(STRUCTURES), np.array(middles))


def head_pairs(data: Path, every: int) -> tuple[str, list[Pair]]:
    template = head(data, TEMPLATE_HEAD)
    return "heads of other people, side", [
        Pair.of(template, head(data, number), "side") for number in OTHER_HEADS[::every]
    ]


def row(name: str, answers: list[Answer]) -> str:
    errors, copied, found = (
        np.concatenate([getattr(item, what) for item in answers]) for what in ("errors", "copied", "found")
    )
    right = f"{100 * (errors[found] <= LIMIT_MM).mean():.0f} %" if found.any() else "–"
    return (
        f"| {name} | {len(errors)} | {errors.mean():.1f} | {np.median(errors):.1f} | "
        f"{100 * (errors <= LIMIT_MM).mean():.0f} % | {copied.mean():.1f} | {100 * found.mean():.0f} % | {right} |"
    )


def write_picture(path: Path, shown: Answer) -> None:
    """The marked film and the other one, with the points found and the true ones."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(9, 4.4), dpi=100, facecolor="black", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for axes, film, title in (
        (left, shown.pair.template, "marked"),
        (right, shown.pair.target, f"found, mean error {shown.errors.mean():.1f} mm (rings: true places)"),
    ):
        height, width = film.array[0].shape
        axes.imshow(film.array[0], cmap="gray", extent=(0, width * PIXEL_MM, height * PIXEL_MM, 0))
        axes.set_title(title, color="white", fontsize=10)
        axes.set_axis_off()
    truth, marks = (
        marks.positions_lps[:, :2] + PIXEL_MM / 2 for marks in (shown.pair.truth, shown.pair.landmarks)
    )
    found = shown.places + PIXEL_MM / 2
    right.scatter(*truth.T, s=60, facecolors="none", edgecolors=TRUE_COLOUR, linewidths=1.2)
    for axes, places in ((left, marks), (right, found)):
        axes.scatter(*places.T, s=26, marker="+", color=FOUND_COLOUR, linewidths=1.4)
        for number, (x, y) in enumerate(places, 1):
            axes.annotate(
                str(number), (x, y), (4, 3), textcoords="offset points", color=NUMBER_COLOUR, fontsize=7
            )
    drawn = io.BytesIO()
    canvas.print_png(drawn)
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette())
    Image.open(drawn).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def _palette() -> bytes:
    """Greys, and the colours of the marks in some strengths: a palette of both keeps the picture small."""
    greys = np.repeat(np.linspace(0, 255, 256 - len(MARKS) * STRENGTHS)[:, None], 3, axis=1)
    colours = [
        share * np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        for colour in MARKS
        for share in np.linspace(0.4, 1, STRENGTHS)
    ]
    return np.rint(np.concatenate([greys, colours])).astype(np.uint8).tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mr-data", type=Path)
    parser.add_argument("--model", type=Path, default=bundled_model("radiograph"))
    parser.add_argument("--every", type=int, default=1, help="of the heads")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--pictured", default="abdomen, front, the same scan turned")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    engine = TransferEngine("cpu", arguments.model)
    cases = dict(bundled_pairs())
    if arguments.mr_data:
        cases.update([head_pairs(arguments.mr_data, arguments.every)])
    answers = {name: [answer(engine, pair) for pair in pairs] for name, pairs in cases.items()}
    lines = [
        f"| films | points | mean mm | median | within {LIMIT_MM:g} mm | copied | FOUND | of these within {LIMIT_MM:g} mm |",
        "|---|---|---|---|---|---|---|---|",
        *(row(name, of_case) for name, of_case in answers.items()),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    if arguments.picture:
        write_picture(arguments.picture, answers[arguments.pictured][0])


if __name__ == "__main__":
    main()
