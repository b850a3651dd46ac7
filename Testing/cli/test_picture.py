"""Crops, windows and the comparison picture."""

from __future__ import annotations

import builtins
import dataclasses

import numpy as np
import pytest

from SAMLandmarkLib.core.crops import axial_crop, sample_linear
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.modality import CT, LUNG, RADIOGRAPH, SOFT_TISSUE, WIDE
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.transfer import Status, TransferredLandmark, TransferResult
from SAMLandmarkLib.reporting.picture import write_comparison_picture
from SAMLandmarkLib.utils.errors import OutputError, UsageError

CROSSHAIR, TRUTH = (0x35, 0xD6, 0xE6), (0xFF, 0x6A, 0xD5)


@pytest.fixture(scope="module")
def template(sample) -> Volume:
    return Volume.read(sample / "template.nii.gz")


@pytest.fixture(scope="module")
def followup(sample) -> Volume:
    return Volume.read(sample / "followup.nii.gz")


@pytest.fixture(scope="module")
def landmarks(sample) -> LandmarkSet:
    return LandmarkSet.read(sample / "template.mrk.json")


@pytest.fixture
def perfect(truth) -> TransferResult:
    """A result that is the truth itself."""
    items = tuple(
        TransferredLandmark(mark.label, mark.position_lps, Status.FOUND, 0.9, 0.9, 1.0, (), "")
        for mark in truth
    )
    return TransferResult("template", "followup", items, {})


def tilted_ramp() -> Volume:
    """A volume with turned, sheared, anisotropic axes, whose intensities are 2 L + 3 P - S + 100."""
    ijk_to_lps = np.array([[0.9, 0.2, 0.3, -40], [-0.3, 1.1, 0.1, -50], [0.1, -0.2, 2.5, 30], [0, 0, 0, 1.0]])
    index = np.stack(np.meshgrid(*map(np.arange, (20, 90, 80)), indexing="ij")[::-1], axis=-1)
    points = index @ ijk_to_lps[:3, :3].T + ijk_to_lps[:3, 3]
    return Volume((points @ [2.0, 3.0, -1.0] + 100).astype(np.float32), ijk_to_lps)


def test_sampling_is_exact_on_a_ramp_whatever_the_axes():
    volume = tilted_ramp()
    points = volume.lps_from_index(np.random.default_rng(0).uniform(1, 18, (200, 3)))
    np.testing.assert_allclose(sample_linear(volume, points), points @ [2.0, 3.0, -1.0] + 100, atol=1e-2)


def test_rows_of_a_crop_run_to_posterior_and_columns_to_the_left():
    volume = tilted_ramp()
    centre = volume.lps_from_index([40, 45, 10])
    crop = axial_crop(volume, centre, 10.0, 5)
    np.testing.assert_allclose(np.diff(crop, axis=1), 2 * 2.0, atol=1e-2)
    np.testing.assert_allclose(np.diff(crop, axis=0), 2 * 3.0, atol=1e-2)
    assert crop[2, 2] == pytest.approx(centre @ [2.0, 3.0, -1.0] + 100, abs=1e-2)


def test_a_crop_is_nan_outside_the_volume_only():
    volume = Volume(np.full((6, 40, 40), 50, np.int16), np.eye(4))
    crop = axial_crop(volume, np.array([0.0, 20.0, 3.0]), 20.0, 20)
    assert np.isnan(crop[:, :9]).all() and (crop[:, 10:] == 50).all()


@pytest.mark.parametrize(
    ("label", "window"),
    [
        ("right_lung_base_vessel_fork", LUNG),
        ("schmorl_sclerosis_center_t12", WIDE),
        ("sma_aorta_inferior_crotch", WIDE),
        ("left_kidney_upper_pole", SOFT_TISSUE),
    ],
)
def test_the_window_suits_the_surroundings(template, landmarks, label, window):
    position = landmarks[landmarks.labels.index(label)].position_lps
    assert CT.window_for(axial_crop(template, position, 80.0, 256)) is window


def test_air_around_the_patient_is_not_taken_for_lung():
    assert CT.window_for(np.full((50, 50), -1000.0)) is SOFT_TISSUE


def test_an_image_without_fixed_units_is_shown_between_its_own_darkest_and_brightest_parts():
    film = np.linspace(200.0, 3000.0, 2000).reshape(40, 50)
    film[0] = np.nan
    window = RADIOGRAPH.window_for(film)
    assert 200.0 < window.black < 300.0 and 2900.0 < window.white < 3000.0
    assert RADIOGRAPH.window_for(np.full((5, 5), np.nan)).white > 0


def test_every_landmark_has_two_crosshairs_with_a_gap_that_shows_the_anatomy(
    template, landmarks, followup, perfect, tmp_path
):
    one = dataclasses.replace(perfect, items=perfect.items[:1])
    pixels = _picture(tmp_path, template, landmarks, followup, one)
    middles = _middles_of_crosshairs(pixels)
    assert len(middles) == 2
    for row, column in middles:
        gap = pixels[row - 6 : row + 7, column - 6 : column + 7].astype(int)
        assert (np.ptp(gap, axis=-1) == 0).all(), "something is drawn over the point itself"
        assert np.ptp(gap) > 20, "no anatomy is visible at the point"


def test_both_crops_show_the_same_place_when_the_answer_is_right(template, landmarks, perfect, tmp_path):
    same = TransferResult(
        "template",
        "template",
        tuple(
            dataclasses.replace(perfect.items[0], position_lps=landmarks[0].position_lps) for _ in range(1)
        ),
        {},
    )
    pixels = _picture(tmp_path, template, landmarks, template, same)
    first, second = (
        pixels[row - 90 : row - 50, column - 90 : column + 90]
        for row, column in _middles_of_crosshairs(pixels)
    )
    np.testing.assert_array_equal(first, second)


def test_the_truth_is_marked_only_where_it_is_known(template, landmarks, followup, perfect, truth, tmp_path):
    two = dataclasses.replace(perfect, items=perfect.items[:2])
    without = _count(_picture(tmp_path, template, landmarks, followup, two), TRUTH)
    known_of_one = LandmarkSet([truth[0]])
    assert without == 0
    assert _count(_picture(tmp_path, template, landmarks, followup, two, known_of_one), TRUTH) > 20


def test_a_missing_landmark_has_its_reason_instead_of_a_crop(
    template, landmarks, followup, perfect, tmp_path
):
    missing = dataclasses.replace(
        perfect.items[0], position_lps=None, status=Status.MISSING, reason="outside field of view"
    )
    pixels = _picture(tmp_path, template, landmarks, followup, dataclasses.replace(perfect, items=(missing,)))
    assert len(_middles_of_crosshairs(pixels)) == 1


def test_labels_with_odd_signs_and_points_outside_the_template_are_drawn(
    template, followup, perfect, tmp_path
):
    odd = dataclasses.replace(perfect.items[0], label="$x_{1}$ <b> [bold] 左肺 " + "long " * 20)
    marks = LandmarkSet.from_points([odd.label], np.array([[9000.0, 0.0, 0.0]]))
    pixels = _picture(tmp_path, template, marks, followup, dataclasses.replace(perfect, items=(odd,)))
    assert len(_middles_of_crosshairs(pixels)) == 1


def test_the_grid_grows_with_the_number_of_landmarks(template, landmarks, followup, perfect, tmp_path):
    height, width = _picture(tmp_path, template, landmarks, followup, perfect).shape[:2]
    assert 1.0 < width / height < 1.8


def test_a_picture_that_cannot_be_written_is_an_error_that_names_it(
    template, landmarks, followup, perfect, tmp_path
):
    with pytest.raises(OutputError, match="none"):
        write_comparison_picture(
            tmp_path / "none" / "picture.png",
            template,
            landmarks,
            followup,
            dataclasses.replace(perfect, items=perfect.items[:1]),
        )


def test_without_matplotlib_the_error_says_how_to_get_it(
    template, landmarks, followup, perfect, tmp_path, monkeypatch
):
    ordinary_import = builtins.__import__

    def without_matplotlib(name: str, *arguments: object, **options: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return ordinary_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(UsageError, match=r"samlandmark\[pictures\]"):
        write_comparison_picture(tmp_path / "picture.png", template, landmarks, followup, perfect)


def _picture(folder, template, landmarks, target, result, truth=None) -> np.ndarray:
    """The picture's pixels, `[rows, columns, 3]` uint8."""
    from PIL import Image

    path = folder / "picture.png"
    write_comparison_picture(path, template, landmarks, target, result, truth)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _matches(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(pixels.astype(int) - colour) < 40).all(axis=-1)


def _count(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int(_matches(pixels, colour).sum())


def _middles_of_crosshairs(pixels: np.ndarray) -> list[tuple[int, int]]:
    """Row and column of the centre of every crosshair, which all lie in one row of the grid."""
    rows, columns = np.nonzero(_matches(pixels, CROSSHAIR))
    if len(columns) == 0:
        return []
    row = (rows.min() + rows.max()) // 2
    groups = np.split(np.unique(columns), np.nonzero(np.diff(np.unique(columns)) > 60)[0] + 1)
    return [(int(row), int(group.min() + group.max()) // 2) for group in groups]
