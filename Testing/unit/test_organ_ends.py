"""Ends of organs: found where they are and nowhere else, and heeded by matching where nothing surer is known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_bodies import (
    APEX,
    CARINA,
    KIDNEY_BESIDE,
    KIDNEY_HALVES,
    KIDNEY_Y,
    KIDNEY_Z,
    LUNG_END,
    MIDDLE_X,
    MIDDLE_Y,
    SCAPULA,
    SCAPULA_X,
    abdomen,
    trunk,
)

from SAMLandmarkLib.core.geometry import CanonicalGrid
from SAMLandmarkLib.core.matching_options import OrganEndOptions
from SAMLandmarkLib.core.modality import CT, MR_BRAIN
from SAMLandmarkLib.core.organ_ends import SIGMA_MM, organ_ends
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedding import Image
from SAMLandmarkLib.embedding.prepared import PreparedVolume
from SAMLandmarkLib.matching.fusion import fused
from SAMLandmarkLib.matching.organ_ends import with_organ_ends
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.matching.prediction import Prediction

SHARED_SETS = Path(__file__).parents[2].parent / "shared" / "data" / "eval"
real_scans = pytest.mark.skipif(not SHARED_SETS.is_dir(), reason="the scans with landmarks are not there")
OPTIONS = OrganEndOptions()
POLES = [f"kidney_{end}_pole_{side}" for end in ("upper", "lower") for side in ("right", "left")]


def image_of(hu: np.ndarray) -> Image:
    grid = CanonicalGrid(np.array([-50.0, 20.0, 300.0]), 2.0, hu.shape[::-1])
    return Image(torch.from_numpy(hu), grid)


def read(region: str, patient: str) -> tuple[Image, dict[str, np.ndarray]]:
    """A scan of the shared test sets as it is embedded, and a reader's landmarks."""
    path = SHARED_SETS / region / f"{patient}.nii.gz"
    canonical = PreparedVolume.of(Volume.read(path), 2.0).canonical
    with path.with_name(f"{patient}.csv").open() as table:
        rows = list(csv.DictReader(table))
    marked = {row["label"]: np.array([float(row[axis]) for axis in "xyz"]) for row in rows}
    return Image(torch.from_numpy(canonical.array), canonical.grid), marked


def errors_mm(image: Image, marked: dict[str, np.ndarray]) -> dict[str, float]:
    return {
        name: float(np.linalg.norm(end - marked[name]))
        for name, end in image.organ_ends_lps.items()
        if name in marked
    }


def test_ends_of_a_simple_body():
    found = organ_ends(trunk(), 2.0)
    assert set(found) == {name for name in SIGMA_MM if not name.startswith("kidney")}
    for side, name in ((-1, "right"), (1, "left")):
        np.testing.assert_allclose(
            found[f"lung_apex_{name}"], [MIDDLE_X + 33 * side, MIDDLE_Y, APEX], atol=1.5
        )
        np.testing.assert_allclose(
            found[f"scapula_inferior_angle_{name}"],
            [MIDDLE_X + SCAPULA_X * side, MIDDLE_Y + 6, SCAPULA],
            atol=2.5,
        )
    np.testing.assert_allclose(found["carina"], [MIDDLE_X, MIDDLE_Y, CARINA], atol=4)


def test_a_solid_lung_does_not_make_a_rib_the_scapula():
    """The lower half of the right lung is solid; ribs that lie beside it reach lower than the scapula."""
    hu = trunk()
    hu[LUNG_END : APEX - 40, :, :MIDDLE_X] = np.maximum(hu[LUNG_END : APEX - 40, :, :MIDDLE_X], 40)
    hu[LUNG_END - 5 : APEX, MIDDLE_Y - 8 : MIDDLE_Y + 8, MIDDLE_X - 57 : MIDDLE_X - 54] = 600
    found = organ_ends(hu, 2.0)["scapula_inferior_angle_right"]
    np.testing.assert_allclose(found, [MIDDLE_X - SCAPULA_X, MIDDLE_Y + 6, SCAPULA], atol=2.5)


def test_poles_of_kidneys_beside_a_liver_of_nearly_the_same_density():
    found = organ_ends(abdomen(), 2.0)
    assert set(found) == set(POLES)
    for side, name in ((-1, "right"), (1, "left")):
        for end, up in (("upper", 1), ("lower", -1)):
            place = [MIDDLE_X + side * KIDNEY_BESIDE, KIDNEY_Y, KIDNEY_Z + up * KIDNEY_HALVES[0]]
            np.testing.assert_allclose(found[f"kidney_{end}_pole_{name}"], place, atol=3)


def test_kidneys_as_dense_as_the_liver_are_found_where_fat_parts_them_alone():
    assert set(organ_ends(abdomen(kidney_hu=110), 2.0)) <= {name for name in POLES if name.endswith("left")}


def test_what_the_field_of_view_cuts_off_is_left_out():
    middle = organ_ends(trunk()[SCAPULA + 2 : APEX - 2], 2.0)
    assert set(middle) <= {"carina"}
    padded = np.full_like(trunk(), -1024)
    padded[: APEX - 2] = trunk()[: APEX - 2]
    assert not any(name.startswith("lung") for name in organ_ends(padded, 2.0))
    upper = KIDNEY_Z + KIDNEY_HALVES[0]
    assert not any("upper" in name for name in organ_ends(abdomen()[: upper - 2], 2.0))


def test_the_top_of_a_trachea_that_is_joined_to_a_lung_is_no_apex():
    hu, top = trunk(), APEX + 8
    rows, columns = slice(MIDDLE_Y - 7, MIDDLE_Y + 8), slice(MIDDLE_X - 7, MIDDLE_X + 8)
    hu[top:, rows, columns] = 40
    hu[APEX - 25 : top, rows, columns] = -1000
    hu[APEX - 40 : APEX - 24, rows, MIDDLE_X - 33 : MIDDLE_X + 7] = -850
    found = organ_ends(hu, 2.0)
    assert "lung_apex_right" not in found
    np.testing.assert_allclose(found["lung_apex_left"], [MIDDLE_X + 33, MIDDLE_Y, APEX], atol=1.5)


@pytest.mark.parametrize("shape", [(1, 40, 40), (3, 8, 8), (60, 60, 60)], ids=str)
@pytest.mark.parametrize("hu", [-1024, 40, 900])
def test_uniform_and_tiny_scans_have_no_ends(shape, hu):
    assert organ_ends(np.full(shape, hu, dtype=np.int16), 2.0) == {}


def test_noise_has_no_ends():
    noise = np.random.default_rng(0).integers(-1024, 1500, (90, 90, 90), dtype=np.int16)
    assert organ_ends(noise, 2.0) == {}


def test_only_images_that_show_air_have_ends():
    hu = trunk()
    known = image_of(hu).organ_ends_lps
    np.testing.assert_allclose(
        known["carina"], np.array([-50.0, 20.0, 300.0]) + 2 * np.array([MIDDLE_X, MIDDLE_Y, CARINA]), atol=8
    )
    assert Image(torch.from_numpy(hu), image_of(hu).grid, MR_BRAIN).organ_ends_lps == {}
    assert Image(torch.empty((0, 0, 0), dtype=torch.int16), image_of(hu).grid, CT).organ_ends_lps == {}


@real_scans
@pytest.mark.parametrize("patient", ["cmb-crc-01068", "covid-ct-md-p001", "lidc-0001", "lidc-0314"])
def test_ends_in_the_chest_are_where_a_reader_marked_them(patient):
    """Both readers differ by 3.2 mm on average."""
    found = errors_mm(*read("chest", patient))
    assert len(found) >= 2
    assert found["carina"] < 4.0
    assert max(found.values()) < 8.0


@real_scans
def test_poles_of_kidneys_are_near_where_a_reader_marked_them():
    patients = ("crlm-1004", "crlm-1006", "hcc-006", "tcga-ay-4070a")
    found = [error for patient in patients for error in errors_mm(*read("abdomen", patient)).values()]
    assert len(found) >= 12
    assert np.median(found) < 6.0
    assert max(found) < 27.0


@real_scans
@pytest.mark.parametrize("scan", ["eval/head-neck/openkbp-pt-112", "train/head-neck/openkbp-pt-129"])
def test_heads_have_no_kidneys(scan):
    """The second one shows a shoulder that looks like one, and lungs that go on below its last slice."""
    canonical = PreparedVolume.of(Volume.read(SHARED_SETS.parent / f"{scan}.nii.gz"), 2.0).canonical
    assert not any(name.startswith("kidney") for name in organ_ends(canonical.array, 2.0))


@pytest.fixture
def marked_images() -> tuple[Image, Image]:
    """Two images without voxels, whose left apices and left lower poles are marked."""
    grid = image_of(np.zeros((2, 2, 2), dtype=np.int16)).grid
    nothing = torch.empty((0, 0, 0), dtype=torch.int16)
    template = {"lung_apex_left": np.zeros(3), "kidney_lower_pole_left": np.array([0.0, 0.0, -400.0])}
    target = {"lung_apex_left": np.array([5.0, 0.0, 20.0])}
    return Image(nothing, grid, marked_ends_lps=template), Image(nothing, grid, marked_ends_lps=target)


def predicted(points: np.ndarray, sigma_mm: float) -> Prediction:
    return Prediction(points + (5.0, 0.0, 0.0), np.full(len(points), sigma_mm))


def test_an_end_predicts_beside_it_with_growing_uncertainty(marked_images):
    points = np.array([[0.0, 0.0, 0.0], [0.0, 8.0, 0.0], [0.0, 0.0, -40.0], [0.0, 0.0, -400.0]])
    changed = with_organ_ends(predicted(points, 12.0), points, *marked_images, OPTIONS)
    np.testing.assert_array_equal(changed.beside_end, [True, True, False, False])
    np.testing.assert_allclose(changed.positions_lps[:2], points[:2] + (5.0, 0.0, 20.0))
    np.testing.assert_allclose(changed.positions_lps[2:], points[2:] + (5.0, 0.0, 0.0))
    sigma = SIGMA_MM["lung_apex_left"]
    np.testing.assert_allclose(changed.prediction_sigma_mm, [sigma, np.hypot(sigma, 4.0), 12.0, 12.0])
    np.testing.assert_array_equal(changed.at_rows(np.array([1, 2])).beside_end, [True, False])


def test_surer_correspondences_far_ends_and_the_option_leave_a_prediction_as_it_is(marked_images):
    points = np.zeros((1, 3))
    for sigma_mm, options in (
        (3.0, OPTIONS),
        (3.9, OPTIONS),
        (12.0, OrganEndOptions(apart_mm=19.0)),
        (12.0, OrganEndOptions(enabled=False)),
    ):
        prediction = predicted(points, sigma_mm)
        same = with_organ_ends(prediction, points, *marked_images, options)
        np.testing.assert_array_equal(same.positions_lps, prediction.positions_lps)
        np.testing.assert_array_equal(same.prediction_sigma_mm, prediction.prediction_sigma_mm)


def test_a_match_that_contradicts_an_end_is_not_as_sure_as_it_seems():
    """Both are 20 mm apart and claim 1 and 4 mm: beside an end the end has its way, elsewhere the match."""
    place = np.array([[20.0, 0.0, 0.0]])
    beside = Prediction(place, np.array([4.0]), np.array([True]))
    elsewhere = Prediction(place, np.array([4.0]), np.array([False]))
    matched, sure_mm = np.zeros((1, 3)), np.array([1.0])
    assert fused(matched, sure_mm, beside).positions_lps[0, 0] > 18.0
    assert fused(matched, sure_mm, elsewhere).positions_lps[0, 0] < 2.0
    near = Prediction(np.array([[3.0, 0.0, 0.0]]), np.array([4.0]), np.array([True]))
    assert fused(matched, sure_mm, near).positions_lps[0, 0] < 0.3


@real_scans
@pytest.mark.slow
def test_the_apex_of_a_lung_is_found_in_another_patient(engine):
    """The embeddings alone place it 11 mm below or beside the apex; a second reader would be off by 3 mm."""
    chests = [
        Volume.read(SHARED_SETS / "chest" / f"{name}.nii.gz") for name in ("covid-ct-md-p001", "lidc-0001")
    ]
    template, target = (engine.embed(chest) for chest in chests)
    marked = [read("chest", name)[1] for name in ("covid-ct-md-p001", "lidc-0001")]
    labels = ["lung_apex_left", "carina"]
    points, truth = (np.array([marks[label] for label in labels]) for marks in marked)
    with_ends = PairMatcher(template, target, engine.options)
    without = with_ends.with_options(engine.options.changed(organ_ends={"enabled": False}))
    error_mm, before_mm = (
        np.linalg.norm(matcher.match(points).matches.best_lps - truth, axis=1)
        for matcher in (with_ends, without)
    )
    assert error_mm.max() < 10.0
    assert error_mm[0] < before_mm[0] - 2.0
