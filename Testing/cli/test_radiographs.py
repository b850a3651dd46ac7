"""Radiographs on the command line, with a model file of their modality."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from reconstructed_films import reconstructed_radiograph
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app

PIXEL_MM = 1.2
SHIFTS = {"near": (4, 3), "far": (9, -6)}
POINTS = {"iliac crest": (80, 60), "endplate": (120, 90), "rib": (60, 40)}


@pytest.fixture(scope="module")
def films(sample_template, tmp_path_factory) -> Path:
    """A digitally reconstructed radiograph of the bundled CT and shifted copies as PNG, and points on the first."""
    folder = tmp_path_factory.mktemp("films")
    film = (255 * reconstructed_radiograph(sample_template)).astype(np.uint8)
    for name, shift in {"template": (0, 0), **SHIFTS}.items():
        sitk.WriteImage(
            sitk.GetImageFromArray(np.roll(film, shift[::-1], axis=(0, 1))), str(folder / f"{name}.png")
        )
    with open(folder / "points.csv", "w", newline="") as file:
        rows = [
            ["label", "x", "y", "z"],
            *([label, PIXEL_MM * x, PIXEL_MM * y, 0] for label, (x, y) in POINTS.items()),
        ]
        csv.writer(file).writerows(rows)
    return folder


def transfer(films: Path, output: Path, *targets: Path, spacing: bool = True):
    points = ["--landmarks", str(films / "points.csv"), "--csv-frame", "LPS"]
    given = [argument for target in targets for argument in ("--target", str(target))]
    command = ["transfer", "--template", str(films / "template.png"), *points, *given, "--no-cache", "--json"]
    command += ["--pixel-spacing", str(PIXEL_MM)] if spacing else []
    return CliRunner().invoke(app, [*command, "--device", "cpu", "--output", str(output)])


def test_points_arrive_where_the_film_was_shifted_to(films, tmp_path):
    result = transfer(films, tmp_path, *(films / f"{name}.png" for name in SHIFTS))
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "transfer.json").read_text())
    assert document["model"]["modality"] == "radiograph"
    with open(tmp_path / "transfer.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    errors_mm = []
    for row in rows:
        shift, (x, y) = SHIFTS[row["target"]], POINTS[row["label"]]
        expected = PIXEL_MM * np.array([x + shift[0], y + shift[1], 0])
        found = [float(row[name]) for name in ("x_lps", "y_lps", "z_lps")]
        errors_mm.append(np.linalg.norm(found - expected))
    assert max(errors_mm) < 2.0


def test_without_pixel_spacing_the_remedy_is_told(films, tmp_path):
    result = transfer(films, tmp_path, films / "near.png", spacing=False)
    assert result.exit_code == 2
    assert "--pixel-spacing" in result.output


def test_a_scan_is_no_target_of_a_film(films, tmp_path, sample_folder):
    result = transfer(films, tmp_path, sample_folder / "followup.nii.gz", films / "near.png")
    assert result.exit_code == 1
    document = json.loads((tmp_path / "transfer.json").read_text())
    (failure,) = document["failures"]
    assert "landmarks are carried between scans of one modality" in failure["message"]


def test_the_template_of_a_folder_is_chosen_without_points(films):
    command = ["choose-template", str(films), "--pixel-spacing", str(PIXEL_MM), "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    ranked = json.loads(result.stdout)
    assert {Path(score["file"]).stem for score in ranked} == {"template", "near", "far"}
    similarities = [score["similarity"] for score in ranked]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] > 0.5


def test_too_few_scans_to_choose_from_are_refused(films, tmp_path):
    (tmp_path / "one.png").write_bytes((films / "near.png").read_bytes())
    result = CliRunner().invoke(
        app, ["choose-template", str(tmp_path), "--pixel-spacing", "1", "--device", "cpu"]
    )
    assert result.exit_code == 2 and "too few to choose from" in result.output
