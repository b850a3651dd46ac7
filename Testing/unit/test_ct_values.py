"""Values that are no Hounsfield units, made from a real scan in the ways in which they come about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.core.volume_checks import ct_warnings


@pytest.fixture(scope="module")
def hu(sample_template: Volume) -> np.ndarray:
    """The bundled scan, at half its resolution."""
    return sample_template.array[::2, ::2, ::2].astype(np.int32)


def outside_circle(hu: np.ndarray, padding: int) -> np.ndarray:
    """A scan with the padding that scanners put around their round field of view."""
    _, rows, columns = hu.shape
    y, x = np.mgrid[:rows, :columns]
    outside = ((y - rows / 2) / rows) ** 2 + ((x - columns / 2) / columns) ** 2 > 0.24
    return np.where(outside, padding, hu)


def in_one_slice(hu: np.ndarray, changed: np.ndarray, number: int) -> np.ndarray:
    mixed = hu.copy()
    mixed[number] = changed[number]
    return mixed


@pytest.mark.parametrize("padding", [-1024, -2000, -3024])
def test_hounsfield_units_are_not_doubted_for_their_padding(hu: np.ndarray, padding: int) -> None:
    assert ct_warnings(outside_circle(hu, padding)) == ()
    assert ct_warnings(outside_circle(hu, padding).astype(np.float32)) == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda hu: hu - 1024, "thinner than air"),
        (lambda hu: outside_circle(hu + 1024, -2000), "where no tissue lies"),
        (lambda hu: outside_circle(hu + 1024, -1024), "where no tissue lies"),
        (lambda hu: hu // 2, "must be gas have no value below -500"),
        (lambda hu: outside_circle(hu // 2, -1024), "must be gas have no value below -500"),
        (lambda hu: hu * 3 // 2, "thinner than air"),
        (lambda hu: hu * 10, "hardly Hounsfield units"),
        (lambda hu: in_one_slice(2047 - hu, hu, 0), "hardly Hounsfield units"),
        (lambda hu: in_one_slice(hu + 1024, hu, 3), "where no tissue lies"),
        (lambda hu: in_one_slice(hu, hu + 1024, 3), "slice 3 along axis k holds values of no tissue"),
        (lambda hu: in_one_slice(hu, 2047 - hu, 5), "slice 5 along axis k holds values of no tissue"),
        (lambda hu: in_one_slice(hu, hu + 1024, 3).transpose(2, 0, 1), "slice 3 along axis j"),
    ],
)
def test_values_that_are_shifted_stretched_or_inverted_are_doubted(hu: np.ndarray, wrong, words: str) -> None:
    (warning,) = ct_warnings(wrong(hu))
    assert words in warning


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda hu: hu + 200, "most frequent value is 265"),
        (lambda hu: hu - 200, "most frequent value is -135"),
        (lambda hu: in_one_slice(hu, hu + 100, 7), "has other values than its neighbours"),
        (lambda hu: in_one_slice(hu, np.zeros_like(hu), 7), "slice 7 along axis k has other values"),
        (lambda hu: in_one_slice(hu, hu * 2, 7), "slice 7 along axis k has other values"),
        (lambda hu: in_one_slice(hu, -hu, 7), "slice 7 along axis k has other values"),
        (lambda hu: in_one_slice(hu, np.random.default_rng(0).permuted(hu), 7), "slice 7 along axis k"),
    ],
)
def test_small_shifts_and_single_slices_are_doubted(hu: np.ndarray, wrong, words: str) -> None:
    (warning,) = ct_warnings(wrong(hu))
    assert words in warning


def test_the_doubt_reaches_whoever_reads_the_file(hu: np.ndarray, tmp_path: Path) -> None:
    import SimpleITK as sitk

    path = tmp_path / "scan.nrrd"
    image = sitk.GetImageFromArray((hu - 1024).astype(np.int16))
    image.SetSpacing((3.0, 3.0, 3.0))
    sitk.WriteImage(image, str(path))
    with pytest.warns(UserWarning, match="thinner than air"):
        assert len(Volume.read(path).warnings) == 1
