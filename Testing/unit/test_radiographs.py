"""Radiographs from pictures and DICOM images, made from the bundled CT by summing its attenuation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ExplicitVRLittleEndian

from SAMLandmarkLib.core.modality import CT, RADIOGRAPH
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.volume_files import announced_bytes
from SAMLandmarkLib.utils.errors import VolumeError, VolumeWarning

PIXEL_MM = 1.5


@pytest.fixture(scope="module")
def film(sample_template) -> np.ndarray:
    """A digitally reconstructed radiograph, uint8 `[y,x]`."""
    attenuation = np.clip(sample_template.array.astype(np.float32) + 1000, 0, 2500).sum(axis=1)[::-1]
    return (255 * (attenuation - attenuation.min()) / np.ptp(attenuation)).astype(np.uint8)


def save(path: Path, array: np.ndarray, colours: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=colours), str(path))
    return path


@pytest.fixture
def write_dicom(tmp_path, film) -> Callable[..., Path]:
    """A function that writes the film as a DICOM image of 12 bits, with the attributes given; None leaves one out."""

    def write(name: str = "film.dcm", pixels: np.ndarray | None = None, **changes: object) -> Path:
        pixels = (film.astype(np.uint16) * 16) if pixels is None else pixels
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.1"
        values = {
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.4",
            "Modality": "DX",
            "PatientID": "1",
            "Rows": pixels.shape[-2],
            "Columns": pixels.shape[-1],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 12,
            "HighBit": 11,
            "PixelRepresentation": 0,
            "PixelSpacing": [PIXEL_MM, PIXEL_MM],
        } | changes
        for keyword, value in values.items():
            if value is not None:
                setattr(dataset, keyword, value)
        dataset.PixelData = pixels.astype("<u2").tobytes()
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.mark.parametrize("name", ["film.png", "film.tif", "film.jpg", "FILM.JPEG"])
def test_a_picture_is_one_slice_with_the_stated_pixels(tmp_path, film, name):
    volume = Volume.read(save(tmp_path / name, film), pixel_spacing_mm=PIXEL_MM)
    assert volume.modality is RADIOGRAPH and volume.name == Path(name).stem
    assert volume.size_ijk == (*film.shape[::-1], 1)
    np.testing.assert_array_equal(volume.ijk_to_lps, np.diag([PIXEL_MM, PIXEL_MM, 1, 1]))
    assert np.abs(volume.array[0] - film).mean() < 3


def test_pictures_of_16_bits_and_grey_pictures_in_three_channels_are_the_same_film(tmp_path, film):
    deep = save(tmp_path / "deep.png", film.astype(np.uint16) * 256)
    coloured = save(tmp_path / "grey.png", np.repeat(film[..., None], 3, axis=-1), colours=True)
    first, second = (Volume.read(path, pixel_spacing_mm=PIXEL_MM) for path in (deep, coloured))
    np.testing.assert_allclose(first.canonical(3.0).array, second.canonical(3.0).array, atol=1e-5)


def test_a_picture_without_pixel_spacing_is_refused_with_the_remedy(tmp_path, film):
    with pytest.raises(VolumeError, match="how large a pixel is; state it: --pixel-spacing MM"):
        Volume.read(save(tmp_path / "film.png", film))
    with pytest.raises(VolumeError, match="50 mm is none of a radiograph"):
        Volume.read(tmp_path / "film.png", pixel_spacing_mm=50.0)


def test_colour_pictures_several_pages_and_damage_are_refused(tmp_path, film):
    colours = np.stack([film, film // 2, film], axis=-1)
    refused = {
        save(tmp_path / "red.png", colours, colours=True): "picture in colours",
        save(tmp_path / "pages.tif", np.stack([film, film])): "holds 2 pictures",
        save(tmp_path / "dot.png", film[:4, :4]): "4x4 pixels",
    }
    (tmp_path / "bad.png").write_bytes(b"\x89PNG no film")
    (tmp_path / "none.png").touch()
    refused |= {tmp_path / "bad.png": "can't be decoded", tmp_path / "none.png": "is empty"}
    for path, reason in refused.items():
        with pytest.raises(VolumeError, match=reason):
            Volume.read(path, pixel_spacing_mm=PIXEL_MM)


def test_what_a_radiograph_announces_is_known_before_it_is_decoded(tmp_path, film, write_dicom):
    assert announced_bytes(save(tmp_path / "film.png", film)) == film.size * 4
    assert announced_bytes(write_dicom()) == film.size * 4


def test_dicom_says_its_own_spacing_and_bone_is_bright(write_dicom, film):
    volume = Volume.read(write_dicom())
    assert volume.modality is RADIOGRAPH and volume.warnings == ()
    np.testing.assert_allclose(volume.spacing_mm[:2], PIXEL_MM)
    negative = write_dicom(
        "negative.dcm",
        pixels=4080 - film.astype(np.uint16) * 16,
        PhotometricInterpretation="MONOCHROME1",
    )
    np.testing.assert_allclose(Volume.read(negative).array, volume.array, atol=1)


def test_the_spacing_of_the_detector_is_taken_and_named(write_dicom):
    path = write_dicom(PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.3])
    with pytest.warns(VolumeWarning, match="that of the detector \\(ImagerPixelSpacing\\)"):
        volume = Volume.read(path)
    np.testing.assert_allclose(volume.spacing_mm[:2], (0.3, 0.2))
    stated = Volume.read(path, pixel_spacing_mm=0.25)
    np.testing.assert_allclose(stated.spacing_mm[:2], 0.25)
    with pytest.raises(VolumeError, match="--pixel-spacing"):
        Volume.read(write_dicom("unknown.dcm", PixelSpacing=None))


def test_the_window_of_the_file_is_applied(write_dicom):
    narrow = Volume.read(write_dicom(WindowCenter=2000, WindowWidth=1000))
    assert (narrow.array.min(), narrow.array.max()) == (1500, 2500)
    senseless = Volume.read(write_dicom("other.dcm", WindowCenter=9000, WindowWidth=10))
    assert senseless.array.max() == 4080


def test_a_folder_with_one_radiograph_is_read_like_its_file(write_dicom):
    path = write_dicom("folder/film")
    volume = Volume.read(path.parent)
    assert volume.modality is RADIOGRAPH and volume.name == "folder"


def test_other_dicom_files_are_refused_with_the_reason(write_dicom, film):
    frames = np.stack([film, film]).astype(np.uint16)
    refused = {
        write_dicom("ct.dcm", Modality="CT"): "no radiograph",
        write_dicom("frames.dcm", pixels=frames, NumberOfFrames=2): "holds 2 frames",
        write_dicom("colour.dcm", PhotometricInterpretation="RGB", SamplesPerPixel=3): "colours",
    }
    short = write_dicom("short.dcm")
    short.write_bytes(short.read_bytes()[:-500])
    for path, reason in (refused | {short: "cut short|can't be read"}).items():
        with pytest.raises(VolumeError, match=reason):
            Volume.read(path)


def test_a_volume_of_one_slice_is_a_radiograph_unless_it_has_negative_values(tmp_path, film):
    image = sitk.GetImageFromArray(film[None])
    image.SetSpacing((PIXEL_MM, PIXEL_MM, 1.0))
    sitk.WriteImage(image, str(tmp_path / "film.nrrd"))
    assert Volume.read(tmp_path / "film.nrrd").modality is RADIOGRAPH
    sitk.WriteImage(sitk.Cast(image, sitk.sitkInt16) - 1000, str(tmp_path / "slice.nrrd"))
    with pytest.raises(VolumeError, match="too few"):
        Volume.read(tmp_path / "slice.nrrd")


def test_a_model_of_ct_refuses_a_picture(tmp_path, film):
    with pytest.raises(VolumeError, match="modality Radiograph, but the model is of CT"):
        Volume.read(save(tmp_path / "film.png", film), modality=CT, pixel_spacing_mm=PIXEL_MM)
