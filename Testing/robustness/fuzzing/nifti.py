"""NIfTI files, judged by nibabel; their checksums by Python's gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from .case import Case, Reading, judge_image
from .damage import damaged_bytes
from .images import made_image, read_image

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FIELDS = (
    "sizeof_hdr", "dim", "dim", "datatype", "bitpix", "pixdim", "pixdim", "vox_offset", "scl_slope", "scl_inter", "magic",
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "srow_x", "srow_y", "srow_z", "xyzt_units",
    "slice_start", "cal_max", "intent_code",
)  # fmt: skip
_VALUES = (
    0,
    -1,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    100,
    255,
    340,
    352,
    353,
    512,
    32767,
    0.001,
    0.5,
    1.5,
    1e10,
    np.nan,
    np.inf,
    -np.inf,
)
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A NIfTI file as nibabel writes it, with nothing, a header field or bytes damaged."""
    truth = made_image(rng)
    content, packed = _written(rng, truth), rng.random() < 0.5
    how = str(rng.choice(["valid", "field", "field", "bytes", "packed"]))
    what = how
    if how == "field":
        content, what = _with_field(rng, content)
    elif how == "bytes":
        content, what = damaged_bytes(rng, content)
    if packed or how == "packed":
        content = gzip.compress(content, mtime=0)
    if how == "packed":
        content, what = damaged_bytes(rng, content)
    path = folder / ("scan.nii.gz" if packed or how == "packed" else "scan.nii")
    path.write_bytes(content)
    judge = judge_image(lambda: read_by_nibabel(path.read_bytes()), truth)
    return Case(f"{path.name}: {what}", how == "valid", lambda: read_image(path), judge)


def _written(rng: np.random.Generator, truth: Reading) -> bytes:
    kind = nibabel.Nifti2Image if rng.random() < 0.2 else nibabel.Nifti1Image
    order = rng.choice(["<", ">"])
    header = kind.header_class(endianness=order)
    affine = _LPS_FROM_RAS @ truth.ijk_to_lps
    image = kind(truth.array.T, affine, header, dtype=truth.array.dtype)
    codes = [(1, 1), (1, 0), (0, 1), (2, 2), (2, 1)][int(rng.integers(5))]
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    image.header.set_xyzt_units("mm" if rng.random() < 0.7 else "unknown")
    return image.to_bytes()


def _with_field(rng: np.random.Generator, content: bytes) -> tuple[bytes, str]:
    header = nibabel.Nifti1Image.header_class(content[:348], check=False)
    if header["sizeof_hdr"] != 348:
        header = nibabel.Nifti2Image.header_class(content[:540], check=False)
    name, value = str(rng.choice(_FIELDS)), _VALUES[int(rng.integers(len(_VALUES)))]
    field = header._structarr[name]
    with np.errstate(all="ignore"):
        if name == "magic":
            header._structarr[name] = bytes(rng.choice([b"ni1", b"n+2", b"", b"n+1x"]))
        elif field.ndim:
            place = int(rng.integers(field.size))
            field[place] = np.asarray(value).astype(field.dtype)
            name = f"{name}[{place}]"
        else:
            header._structarr[name] = np.asarray(value).astype(field.dtype)
    raw = header._structarr.tobytes()
    return raw + content[len(raw) :], f"{name} = {value}"


def read_by_nibabel(content: bytes) -> Reading:
    """What nibabel reads, of the whole stream where it is packed, with the unit that the header names."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    second = int.from_bytes(content[:4], "little") == 540 or int.from_bytes(content[:4], "big") == 540
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)
    array = np.asanyarray(image.dataobj).T
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    factor = _MM_PER_UNIT.get(int(image.header["xyzt_units"]) & 7, 1.0)
    return Reading(array, _LPS_FROM_RAS @ np.diag([factor] * 3 + [1.0]) @ image.affine)
