"""MetaImage files, written by SimpleITK and judged by a plain parser of their few fields."""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .case import Case, Reading, judge_image
from .damage import damaged_bytes, damaged_text
from .images import made_image, read_image

TYPES = {
    "CHAR": "i1",
    "UCHAR": "u1",
    "SHORT": "i2",
    "USHORT": "u2",
    "INT": "i4",
    "UINT": "u4",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}
_WORDS = (
    "True", "False", "T", "1", "0", "MET_SHORT", "MET_USHORT", "MET_FLOAT", "MET_UCHAR_ARRAY", "LOCAL", "LIST",
    "scan%03d.raw 1 12 1", "other.raw", "../scan.mha", "RAI", "Image", "Scene", "1 0 0 0 1 0 0 0 0", "2 0 0 0 2 0 0 0 2",
    "1 0 0 1 0 0 0 0 1", "nan nan nan", "mm", "cm", "", "3", "4", "-1",
)  # fmt: skip
_EXTRA = (
    "CompressedDataSize = 7", "CompressedDataSize = 0", "HeaderSize = -1", "HeaderSize = 10", "HeaderSize = -5", "NDims = -3",
    "ElementNumberOfChannels = 3", "DistanceUnits = cm", "DistanceUnits = m", "ElementSize = 9 9 9", "Position = 5 5 5",
    "Rotation = 1 0 0 0 1 0 0 0 1", "ElementByteOrderMSB = True", "BinaryData = False", "CompressedData = 1",
    "ElementToIntensityFunctionSlope = 10", "Comment = x", "no field",
)  # fmt: skip


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A MetaImage file as ITK writes it, with nothing, its header or its bytes damaged."""
    truth = made_image(rng)
    path = folder / "scan.mha"
    _write(truth, path, bool(rng.random() < 0.6))
    how = str(rng.choice(["valid", "header", "header", "extra", "bytes", "voxels"]))
    what = how
    head, end, voxels = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    if how == "header":
        text, what = damaged_text(rng, (head + end).decode(), _WORDS)
        head, end = text.encode("utf-8", "surrogatepass"), b""
    elif how == "extra":
        lines = head.decode().splitlines()
        what = str(rng.choice(_EXTRA))
        lines.insert(int(rng.integers(1, len(lines) + 1)), what)
        head = "\n".join([*lines, ""]).encode()
    elif how == "bytes":
        head, what = damaged_bytes(rng, head + end + voxels)
        end, voxels = b"", b""
    elif how == "voxels":
        voxels, what = damaged_bytes(rng, voxels)
    path.write_bytes(head + end + voxels)
    return Case(
        what, how == "valid", lambda: read_image(path), judge_image(lambda: read_plainly(path), truth)
    )


def _write(truth: Reading, path: Path, compressed: bool) -> None:
    image = sitk.GetImageFromArray(truth.array)
    spacing = np.linalg.norm(truth.ijk_to_lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(truth.ijk_to_lps[:3, 3].tolist())
    image.SetDirection((truth.ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path), compressed)


def read_plainly(path: Path) -> Reading:
    """What the fields of a file of ITK's own kind say; ValueError, KeyError and so on for every other."""
    content = path.read_bytes()
    match = re.match(rb"(?s)(.*?ElementDataFile *= *LOCAL *\r?\n)", content)
    if match is None:
        raise ValueError("its voxels are not in it")
    pairs = [line.split("=", 1) for line in match.group(1).decode("latin-1").splitlines() if line.strip()]
    fields = {name.strip(): value.strip() for name, value in pairs}
    if (
        len(fields) != len(pairs)
        or int(fields["NDims"]) != 3
        or fields.get("ElementNumberOfChannels", "1") != "1"
    ):
        raise ValueError("its fields contradict each other")
    size = [int(part) for part in fields["DimSize"].split()]
    order = ">" if fields.get("BinaryDataByteOrderMSB", "False")[0] in "T1" else "<"
    kind = np.dtype(TYPES[fields["ElementType"].removeprefix("MET_")]).newbyteorder(order)
    voxels = content[match.end() :]
    if fields.get("CompressedData", "False")[0] in "Tt1":
        voxels = zlib.decompress(voxels)
    if fields["BinaryData"] != "True" or int(fields.get("HeaderSize", "0")):
        raise ValueError("its voxels are no plain bytes")
    array = np.frombuffer(voxels[: math.prod(size) * kind.itemsize], kind).reshape(size[::-1])
    factor = {"mm": 1.0, "cm": 10.0, "m": 1000.0}[fields.get("DistanceUnits", "mm")]
    ijk_to_lps = np.eye(4)
    directions = np.array(fields["TransformMatrix"].split(), dtype=float).reshape(3, 3).T
    ijk_to_lps[:3, :3] = directions * np.array(fields["ElementSpacing"].split(), dtype=float) * factor
    ijk_to_lps[:3, 3] = np.array(fields["Offset"].split(), dtype=float) * factor
    return Reading(array, ijk_to_lps)
