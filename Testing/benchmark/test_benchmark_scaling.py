"""Measuring the growth of time and memory, on scans small enough for a test."""

from __future__ import annotations

import json

import pytest

from SAMLandmarkLib.evaluation.benchmark.scaling import (
    PARTS,
    fitted_exponent,
    growth,
    measure_scaling,
    write_scaling,
)

SIZES = ((72, 64, 64),)


@pytest.fixture(scope="module")
def measured():
    said = []
    document = measure_scaling(2**30, said.append, SIZES, (1, 20), SIZES[0])
    return document, said


def test_every_size_and_number_of_points_is_measured(measured):
    document, said = measured
    assert [each["voxels"] for each in document["sizes"]] == [72 * 64 * 64]
    for each in (*document["sizes"], document["limited"]):
        assert set(each["cold"]) == {"start", "load", *PARTS}
        assert all(seconds > 0 for seconds in (*each["cold"].values(), *each["warm"].values()))
        assert each["peak_bytes"] > 100 * 2**20
    assert [each["points"] for each in document["points"]] == [1, 20]
    assert said[0] == "size 72 x 64 x 64" and "1 GiB" in said[-1]


def test_what_is_written_can_be_read_and_looked_at(measured, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- benchmark-scaling: begin -->\n<!-- benchmark-scaling: end -->\n")
    paths = write_scaling(tmp_path / "out", measured[0], page)
    assert {path.name for path in paths} >= {"scaling.json", "scaling.md", "page.md", "benchmark-scaling.png"}
    assert json.loads((tmp_path / "out" / "scaling.json").read_text())["format"] == "samlandmark-scaling"
    assert "| 72 x 64 x 64, --max-memory |" in page.read_text()


def test_growth_is_the_slope_of_the_logarithms():
    assert fitted_exponent([1, 2, 4, 8], [5.0, 1.0, 4.0, 16.0]) == pytest.approx(2.0)
    sizes = [
        {"voxels": count, "cold": dict.fromkeys(PARTS, count * 2.0), "peak_bytes": 7}
        for count in (10, 100, 1000)
    ]
    exponents = growth(sizes, [{"points": count, "seconds": count**0.5} for count in (1, 10, 100)])
    assert exponents["embed"] == pytest.approx(1.0) and exponents["all parts"] == pytest.approx(1.0)
    assert exponents["peak memory"] == pytest.approx(0.0) and exponents["points"] == pytest.approx(0.5)
