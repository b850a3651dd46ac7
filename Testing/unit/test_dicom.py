"""DICOM series from a folder, written by GDCM slice by slice as scanners do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from refused import refusal
from toy_series import CT_IMAGE, HU, RAW_DATA, Series, Writer

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeWarning

COSINE, SINE = np.cos(0.3), np.sin(0.3)


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(Series(), id="axial"),
        pytest.param(Series(row=(0, 1, 0), column=(0, 0, -1), step=(-3, 0, 0)), id="sagittal"),
        pytest.param(Series(row=(1, 0, 0), column=(0, 0, -1), step=(0, 2, 0)), id="coronal"),
        pytest.param(Series(row=(-1, 0, 0), column=(0, -1, 0)), id="prone"),
        pytest.param(
            Series(row=(COSINE, SINE, 0), column=(-SINE, COSINE, 0), step=(0, 0, 1.25)), id="head turned"
        ),
        pytest.param(
            Series(column=(0, COSINE, SINE), step=(0, -2.5 * SINE, 2.5 * COSINE)), id="oblique stack"
        ),
        pytest.param(Series(column=(0, COSINE, SINE)), id="tilted gantry"),
        pytest.param(Series(step=(0, 0.7, 2.5)), id="slices shifted against each other"),
    ],
)
def test_slices_lie_where_their_headers_say(write_series: Writer, series: Series) -> None:
    volume = Volume.read(write_series(series))
    assert np.array_equal(volume.array, HU)
    assert volume.ijk_to_lps == pytest.approx(series.ijk_to_lps(), abs=1e-5)
    assert (volume.name, volume.warnings) == ("study", ())


def test_a_stack_from_head_to_feet_is_turned_over_and_not_mirrored(write_series: Writer) -> None:
    series = Series(step=(0, 0, -2.5))
    volume = Volume.read(write_series(series))
    for k in (0, 5, 11):
        place = np.array(series.origin) + k * np.array(series.step)
        i, j, turned_k = volume.index_from_lps(place)
        assert (i, j) == pytest.approx((0, 0), abs=1e-6)
        assert np.array_equal(volume.array[round(turned_k)], HU[k])


def test_names_of_files_have_no_say_in_their_order(write_series: Writer, tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(len(HU))
    folder = tmp_path / "study"
    for k, number in enumerate(shuffled):
        write_series(kept=[k], name=f"file{number}")
    assert np.array_equal(Volume.read(folder).array, HU)
    assert Volume.read(folder).ijk_to_lps == pytest.approx(Series().ijk_to_lps(), abs=1e-5)


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (1, 0), (2, -1000)])
def test_values_are_rescaled_to_hounsfield_units(
    write_series: Writer, slope: float, intercept: float
) -> None:
    assert np.array_equal(Volume.read(write_series(Series(slope=slope, intercept=intercept))).array, HU)


def test_slices_with_rescaling_of_their_own_are_right_each(write_series: Writer) -> None:
    folder = write_series(Series(intercept=-1000, slope=2), kept=range(1, len(HU)))
    # Unsigned and without intercept, so that the type of the first slice can't hold the others.
    first = np.abs(HU[0])
    Series(intercept=0).write_slice(folder / "first.dcm", first.astype(np.uint16), 0)
    assert np.array_equal(Volume.read(folder).array, np.concatenate([first[None], HU[1:]]))


def test_other_files_in_the_folder_do_not_matter(write_series: Writer) -> None:
    folder = write_series()
    (folder / "readme.txt").write_text("exported for the tumour board")
    (folder / "empty.dcm").touch()
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "other series").mkdir()
    assert np.array_equal(Volume.read(folder).array, HU)


def test_an_object_without_pixels_among_the_slices_is_no_second_series(write_series: Writer) -> None:
    folder = write_series()
    raw_data = folder / "raw.dcm"
    Series(number=9).write_slice(raw_data, HU[0], 0)
    without_pixels = raw_data.read_bytes().partition(b"\xe0\x7f\x10\x00")[0]
    raw_data.write_bytes(without_pixels.replace(CT_IMAGE.encode() + b"\0", RAW_DATA.encode()))
    assert np.array_equal(Volume.read(folder).array, HU)


# ---- What is refused


def test_several_series_are_named_with_what_tells_them_apart(write_series: Writer) -> None:
    write_series(Series(number=2, description="Lung 1.0"), kept=range(5), name="lung{}")
    message = refusal(write_series())
    assert "holds 2 DICOM series" in message
    assert "series 1 (Thorax 2.5, CT, 12 slices)" in message
    assert "series 2 (Lung 1.0, CT, 5 slices)" in message
    assert "into a folder of their own" in message


def test_each_gap_is_named_in_millimetres(write_series: Writer) -> None:
    message = refusal(write_series(kept=[0, 1, 2, 4, 5, 6, 9, 10, 11]))
    assert "slices are missing; neighbours lie 2.50 mm apart" in message
    assert "5.00 mm from -295.00 to -290.00" in message
    assert "7.50 mm from -285.00 to -277.50" in message
    assert "Export the whole series again" in message


def test_slices_that_share_a_place_are_refused(write_series: Writer) -> None:
    write_series(Series(description="arterial"), name="a{}")
    message = refusal(write_series(Series(description="venous"), name="b{}"))
    assert "12 slices lie in the same place as another" in message


def test_uneven_spacing_is_resampled_along_the_stack(write_series: Writer) -> None:
    # Far steps of 3 mm after near ones of 2.5 mm, as in scans of the head.
    write_series(kept=range(6))
    folder = write_series(Series(step=(0, 0, 3.0), origin=(-100.5, 20.25, -303)), kept=range(6, 12))
    with pytest.warns(VolumeWarning, match="its slices lie 2.50 to 3.00 mm apart; it was resampled evenly"):
        volume = Volume.read(folder)
    heights = np.array([-300 + 2.5 * k for k in range(6)] + [-303 + 3.0 * k for k in range(6, 12)])
    for k, height in enumerate(volume.lps_from_index([[0, 0, k] for k in range(len(volume.array))])[:, 2]):
        after = int(np.clip(np.searchsorted(heights, height), 1, 11))
        part = (height - heights[after - 1]) / (heights[after] - heights[after - 1])
        expected = HU[after - 1] * (1 - part) + HU[after] * part
        assert volume.array[k] == pytest.approx(expected, abs=0.51)
    assert volume.lps_from_index([0, 0, len(volume.array) - 1]) == pytest.approx((-100.5, 20.25, -270))


def test_a_scout_view_among_the_slices_is_refused(write_series: Writer) -> None:
    write_series(kept=range(11))
    message = refusal(write_series(Series(column=(0, 0, -1)), kept=[11]))
    assert "differ in orientation or pixel spacing" in message


def test_slices_of_different_sizes_are_refused(write_series: Writer) -> None:
    folder = write_series(kept=range(11))
    Series().write_slice(folder / "last.dcm", HU[11, :10], 11)
    assert "may differ in size" in refusal(folder)


@pytest.mark.parametrize("damaged", [0, 5, 11])
def test_a_slice_that_is_cut_short_is_named(write_series: Writer, damaged: int) -> None:
    folder = write_series()
    path = folder / f"IM{damaged:03d}.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    message = refusal(folder)
    assert f"IM{damaged:03d}.dcm can't be read as DICOM" in message
    assert "copy or export the series again" in message


def test_too_few_slices_are_refused(write_series: Writer) -> None:
    assert "16x14x1 voxels are too few" in refusal(write_series(kept=[0]))


def test_a_folder_without_dicom_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "holds no DICOM images" in refusal(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_refusals_leave_the_terminal_clean(write_series: Writer, capfd: pytest.CaptureFixture) -> None:
    refusal(write_series(kept=[0, 1, 2, 4, 5, 6]))
    assert capfd.readouterr() == ("", "")


def test_another_modality_is_doubted(write_series: Writer) -> None:
    folder = write_series(Series(modality="PT"))
    with pytest.warns(VolumeWarning, match="its modality is PT, not CT"):
        Volume.read(folder)


def test_slices_without_a_position_are_refused(write_series: Writer) -> None:
    folder = write_series()
    for path in folder.iterdir():
        # Image position (0020,0032), made a tag that nobody knows.
        path.write_bytes(path.read_bytes().replace(b"\x20\x00\x32\x00", b"\x20\x00\x33\x00", 1))
    assert "not every slice says its position, orientation and pixel spacing" in refusal(folder)


def test_a_file_of_many_frames_is_refused(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(HU)
    image.SetMetaData("0008|0060", "CT")
    sitk.WriteImage(image, str(tmp_path / "frames.dcm"))
    message = refusal(tmp_path)
    assert "frames.dcm holds 12 frames in one file" in message
    assert "convert it to NIfTI" in message


def test_colour_pictures_are_refused(tmp_path: Path) -> None:
    channel = sitk.GetImageFromArray(np.zeros((1, 14, 16), np.uint8))
    sitk.WriteImage(sitk.Compose([channel] * 3), str(tmp_path / "picture.dcm"))
    assert "colour pictures" in refusal(tmp_path)
