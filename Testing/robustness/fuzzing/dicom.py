"""Folders of DICOM slices, written and judged by pydicom."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
from dicom_files import SeriesHeader, write_series

from SAMLandmarkLib.core.volume import Volume

from .case import Case, Reading, judge_image
from .damage import damaged_bytes
from .images import made_image, read_image

_CHANGES = (
    ("Rows", (0, 1, 5, 65535)), ("Columns", (0, 3, 65535)), ("BitsAllocated", (0, 8, 12, 32)), ("BitsStored", (0, 12, 17)),
    ("HighBit", (0, 11, 20)), ("PixelRepresentation", (0, 2)), ("SamplesPerPixel", (0, 3)),
    ("PhotometricInterpretation", ("MONOCHROME1", "RGB", "PALETTE COLOR", "")), ("RescaleSlope", (None, "", "0", "10", "2.5")),
    ("RescaleIntercept", (None, "", "0", "-2048")), ("ImagePositionPatient", (None, [0, 0, 0], [1, 2], [1e9, 0, 0])),
    ("ImageOrientationPatient", (None, [1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1])),
    ("PixelSpacing", (None, [0, 0], [-1, 1], [1000, 1000], [0.001, 0.001])), ("SeriesInstanceUID", ("1.2.3", None)),
    ("NumberOfFrames", (0, 5)), ("Modality", ("MR", None)), ("SOPInstanceUID", (None, "1.2.3")), ("InstanceNumber", (1, None)),
    ("PixelData", (b"", b"\0\0", None)), ("PatientID", ("other",)), ("ImageType", (["DERIVED", "SECONDARY", "LOCALIZER"], None)),
)  # fmt: skip


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A folder with one series, with nothing, attributes, files or bytes damaged."""
    scan, truth = folder / "scan", made_image(rng, ("i2",))
    stack = _right_handed(truth)
    paths = write_series(scan, Volume(stack.array, stack.ijk_to_lps), SeriesHeader())
    how = str(rng.choice(["valid", "attribute", "attribute", "attribute", "bytes", "files"]))
    what = how
    if how == "attribute":
        what = _with_attribute(rng, paths)
    elif how == "bytes":
        path = paths[int(rng.integers(len(paths)))]
        content, what = damaged_bytes(rng, path.read_bytes())
        path.write_bytes(content)
    elif how == "files":
        what = _with_files(rng, scan, paths)
    return Case(
        what, how == "valid", lambda: read_image(scan), judge_image(lambda: read_by_pydicom(scan), stack)
    )


def _right_handed(image: Reading) -> Reading:
    """The image with axes of a stack: the third along the normal of the others, as every reader sorts slices."""
    ijk_to_lps = image.ijk_to_lps.copy()
    if np.linalg.det(ijk_to_lps[:3, :3]) < 0:
        ijk_to_lps[:3, 2] *= -1
    return Reading(image.array, ijk_to_lps)


def _with_attribute(rng: np.random.Generator, paths: list[Path]) -> str:
    keyword, values = _CHANGES[int(rng.integers(len(_CHANGES)))]
    value = values[int(rng.integers(len(values)))]
    changed = paths if rng.random() < 0.5 else [paths[int(rng.integers(len(paths)))]]
    for path in changed:
        image = pydicom.dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if value is None:
                delattr(image, keyword)
            else:
                setattr(image, keyword, value)
            try:
                image.save_as(path)
            except (ValueError, TypeError, AttributeError) as error:
                return f"{keyword} = {value!r} can't be written ({error})"
    return f"{keyword} = {value!r} in {len(changed)} of {len(paths)} slices"


def _with_files(rng: np.random.Generator, scan: Path, paths: list[Path]) -> str:
    how = str(rng.choice(["gone", "copy", "junk", "empty", "last gone", "other"]))
    path = paths[int(rng.integers(1, len(paths) - 1))]
    if how == "gone":
        path.unlink()
    elif how == "last gone":
        paths[-1].unlink()
    elif how == "copy":
        shutil.copy(path, scan / "copy.dcm")
    elif how == "junk":
        (scan / "Thumbs.db").write_bytes(rng.bytes(300))
    elif how == "empty":
        path.write_bytes(b"")
    else:
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID, image.SOPInstanceUID = "1.2.3.4", "1.2.3.4.5"
        image.save_as(scan / "other.dcm")
    return f"files: {how}"


def read_by_pydicom(scan: Path) -> Reading:
    """What pydicom reads of the largest series, its slices sorted along their normal; ValueError where they are uneven."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = [image for path in sorted(scan.iterdir()) if (image := _image(path)) is not None]
        names = [image.get("SeriesInstanceUID", "") for image in images]
        usual = max(names, key=names.count)
        images = list(
            {image.SOPInstanceUID: image for image, name in zip(images, names) if name == usual}.values()
        )
        rows, columns = np.array(images[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
        images.sort(
            key=lambda image: float(
                np.cross(rows, columns) @ np.array(image.ImagePositionPatient, dtype=float)
            )
        )
        places = np.array([image.ImagePositionPatient for image in images], dtype=float)
        if np.ptp(np.linalg.norm(np.diff(places, axis=0), axis=1)) > 0.5:
            raise ValueError("its slices are not even")
        array = np.stack([_values(image) for image in images])
    spacing = np.array(images[0].PixelSpacing, dtype=float)
    step = (places[-1] - places[0]) / (len(places) - 1)
    matrix = np.column_stack([rows * spacing[1], columns * spacing[0], step, places[0]])
    return Reading(array, np.vstack([matrix, (0, 0, 0, 1)]))


def _image(path: Path) -> pydicom.Dataset | None:
    try:
        image = pydicom.dcmread(path)
    except (pydicom.errors.InvalidDicomError, EOFError):
        return None
    return image if "PixelData" in image else None


def _values(image: pydicom.Dataset) -> np.ndarray:
    if image.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError("a picture in colours")
    return image.pixel_array * float(image.get("RescaleSlope", 1)) + float(image.get("RescaleIntercept", 0))
