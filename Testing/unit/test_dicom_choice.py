"""What lies beside a CT in the folder of an export, and which series of several is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from refused import refusal
from toy_series import HU, Series, Writer

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeError


def test_a_dose_report_and_a_scout_view_beside_the_ct_do_not_count(write_series: Writer) -> None:
    folder = write_series()
    write_series(Series(number=900, description="Dose report"), kept=[0], name="dose{}")
    write_series(
        Series(number=1000, description="Topogram", row=(0, 1, 0), column=(0, 0, -1)), [0], "scout{}"
    )
    assert np.array_equal(Volume.read(folder).array, HU)


def test_a_series_is_named_by_its_number_or_uid(write_series: Writer) -> None:
    folder = write_series(Series(number=2, step=(0, 0, 5.0)), name="thick{}")
    write_series()
    uid = pydicom.dcmread(folder / "thick0").SeriesInstanceUID
    assert "holds 2 DICOM series" in refusal(folder)
    for name in ("2", uid):
        assert Volume.read(folder, series=[name]).spacing_mm[2] == pytest.approx(5.0)
    assert Volume.read(folder, series=["7", "1"]).spacing_mm[2] == pytest.approx(2.5)
    with pytest.raises(
        VolumeError, match="holds no series 7, but series 1 .*; series 2 .* by its number or UID"
    ):
        Volume.read(folder, series=["7"])


def test_a_series_that_is_not_there_is_not_replaced_by_the_only_one(write_series: Writer) -> None:
    folder = write_series()
    with pytest.raises(VolumeError, match=r"holds no series 7, but series 1 .* \(--series may be given"):
        Volume.read(folder, series=["7"])


def test_a_copy_of_a_slice_is_used_once(write_series: Writer) -> None:
    folder = write_series()
    shutil.copy(folder / "IM004.dcm", folder / "IM004 (1).dcm")
    assert np.array_equal(Volume.read(folder).array, HU)


def test_another_slice_under_the_uid_of_one_is_no_copy(write_series: Writer) -> None:
    folder = write_series()
    Series().write_slice(folder / "other.dcm", HU[5], 4)
    assert "1 slices lie in the same place as another" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, "IM003.dcm lack the rescale slope and intercept"),
        ({"RescaleIntercept": ""}, "IM003.dcm says rescale slope '1' and intercept ''"),
        ({"RescaleIntercept": "1e300"}, "IM003.dcm says rescale slope '1' and intercept '1e300'"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "IM003.dcm have another photometric interpretation"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour pictures"),
        ({"SamplesPerPixel": 0}, "IM003.dcm is a picture in colours or without grey values"),
        ({"Rows": 15}, "IM003.dcm can't be read as DICOM"),
        ({"ImagePositionPatient": ["0", "0", "nan"]}, "that is no number"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 1, 0]}, "differ in orientation"),
        ({"NumberOfFrames": 3}, "IM003.dcm holds 3 frames"),
    ],
)
def test_a_slice_of_another_kind_is_refused_by_name(
    write_series: Writer,
    changes: dict[str, object],
    words: str,
) -> None:
    folder = write_series()
    path: Path = folder / "IM003.dcm"
    image = pydicom.dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    image.save_as(path)
    assert words in refusal(folder)
