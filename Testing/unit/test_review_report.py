"""The report of a review is one page that shows everything and needs nothing else."""

from __future__ import annotations

import base64
import re
import struct
import sys
import zlib
from html import unescape

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from SAMLandmarkLib.core.crops import axial_crop, coronal_crop
from SAMLandmarkLib.core.geometry import affine_from_parts
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.reporting import environment
from SAMLandmarkLib.reporting.crop_pictures import png
from SAMLandmarkLib.reporting.review_page import ReportScan, report_page, write_report
from SAMLandmarkLib.review import ReviewItem, ReviewState
from SAMLandmarkLib.utils.errors import UsageError

MAY = "scan-may"
PLACE = (0.0, 0.0, 0.0)


def a_volume(name: str = "CT") -> Volume:
    """60 mm of soft tissue around the origin with a bright sphere 15 mm to the left and 20 mm up."""
    grid = np.mgrid[-30:31:2.0, -30:31:2.0, -30:31:2.0]
    z, y, x = grid
    array = np.full(z.shape, 40, np.int16)
    array[(x - 15) ** 2 + y**2 + (z - 20) ** 2 < 36] = 240
    return Volume(array, affine_from_parts((-30.0, -30.0, -30.0), (2.0, 2.0, 2.0), np.eye(3)), name)


def an_item(label: str, status: str, confidence: float, **values) -> ReviewItem:
    place = None if status == "MISSING" else (1.0, 2.0, 3.0)
    return ReviewItem.of(
        label, status, confidence, template_lps=PLACE, transferred_lps=place, position_lps=place, **values
    )


@pytest.fixture
def state() -> ReviewState:
    items = [
        an_item("sure", "FOUND", 0.95),
        an_item("unsure", "DOUBTFUL", 0.55, reason="low similarity"),
        an_item("very unsure", "DOUBTFUL", 0.25, cycle_error_mm=12.5, similarity=0.4),
        an_item("gone", "MISSING", 0.05, reason="outside field of view"),
        an_item("<b>&\"'", "FOUND", 0.9),
    ]
    state = ReviewState().with_labels([item.label for item in items]).with_result(MAY, items)
    return state.correct(MAY, "sure", (5.0, 6.0, 7.0), "AB <x>")


@pytest.fixture
def page(state) -> str:
    template = ReportScan("april", "April", "2024-04-01", a_volume())
    may = ReportScan(MAY, "May <1>", "2024-05-02", a_volume(), {"model": {"version": "7.8"}})
    return report_page(template, [may], state)


def test_what_waits_for_a_decision_comes_first_the_most_doubtful_at_the_top(page, parsed):
    assert parsed(page).headings == [
        "Landmark review: 2024-04-01 · April",
        "2024-05-02 · May <1>",
        *("very unsure", "unsure", "gone", "sure", "<b>&\"'"),
        "Decisions",
    ]


def test_it_refers_to_nothing_outside_of_itself(page, parsed):
    addresses = parsed(page).addresses
    assert addresses and all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert "http" not in page and "@import" not in page and "url(" not in page and "<script" not in page


def test_every_landmark_with_a_place_has_its_crops(page):
    cards = page.split('<article class="card')[1:]
    assert [card.count("<img") for card in cards] == [4, 4, 2, 4, 4]
    assert "outside field of view" in cards[2]


def test_numbers_and_decisions_are_told(page):
    card = page.split('<article class="card')[1]
    for text in ("25%", "12.5 mm", "0.40", "not reviewed", "1.0, 2.0, 3.0", "3.7 mm"):
        assert text in card, text
    corrected = unescape(page.split('<article class="card')[4])
    assert "corrected" in corrected and "5.0, 6.0, 7.0" in corrected and "The engine's place" in corrected
    assert "model 7.8" in page and "AB &lt;x&gt;" in page


def test_a_scan_without_voxels_or_landmarks_still_has_its_section(state):
    bare = [ReportScan(MAY, "May"), ReportScan("june", "June")]
    page = report_page(ReportScan("april", "April"), bare, state)
    assert "<img" not in page
    assert "No landmarks were transferred to this scan." in page


def test_without_jinja2_it_tells_what_to_install(state, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    environment._environment.cache_clear()
    with pytest.raises(UsageError, match="pip install Jinja2"):
        write_report(tmp_path / "r.html", ReportScan("april", "April"), [], state)
    assert not (tmp_path / "r.html").exists()


def test_it_is_written_as_utf_8(tmp_path, state):
    write_report(tmp_path / "r.html", ReportScan("april", "Bauch nüchtern 腹部"), [], state)
    assert "Bauch nüchtern 腹部" in (tmp_path / "r.html").read_text(encoding="utf-8")


def decoded(file: bytes) -> np.ndarray:
    """The gray values of a PNG that stores differences to the row above."""
    columns, rows = struct.unpack(">II", file[16:24])
    data = zlib.decompress(b"".join(re.findall(rb"IDAT(.*?).{4}\x00\x00\x00\x00IEND", file, re.DOTALL)))
    stored = np.frombuffer(data, np.uint8).reshape(rows, columns + 1)
    assert (stored[:, 0] == 2).all()
    return np.cumsum(stored[:, 1:], axis=0, dtype=np.uint8)


def test_pictures_hold_the_gray_values_exactly_and_other_programs_read_them(tmp_path):
    gray = np.random.default_rng(0).integers(0, 256, (13, 17), dtype=np.uint8)
    assert_array_equal(decoded(png(gray)), gray)
    image = pytest.importorskip("matplotlib.image")
    (tmp_path / "a.png").write_bytes(png(gray))
    assert_allclose(image.imread(tmp_path / "a.png") * 255, gray, atol=1e-3)


def test_crops_in_the_page_are_pictures_of_the_right_size(page):
    for address in re.findall(r'src="data:image/png;base64,([^"]+)"', page):
        assert decoded(base64.b64decode(address)).shape == (200, 200)


def test_crops_show_the_patient_as_radiologists_look():
    volume = a_volume()
    axial = axial_crop(volume, np.array([0.0, 0.0, 20.0]), 50.0, 50)
    assert np.unravel_index(np.nanargmax(axial), axial.shape)[1] > 30, "the patient's left is on the right"
    coronal = coronal_crop(volume, np.zeros(3), 50.0, 50)
    row, column = np.unravel_index(np.nanargmax(coronal), coronal.shape)
    assert row < 20 and column > 30, "up is up, the patient's left is on the right"


def test_a_scan_without_voxels_does_not_seem_to_lack_the_landmark(state):
    may = ReportScan(MAY, "May", volume=a_volume())
    page = report_page(ReportScan("april", "April"), [may], state)
    found = page.split('<article class="card')[-1]
    assert found.count("<img") == 2 and found.count("no picture of this scan") == 2
    assert "outside the template" not in found and "not found" not in found
