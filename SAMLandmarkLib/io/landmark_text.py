"""What all landmark files have in common: their text, their frame, and what a point in them must be."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from ..core.geometry import swap_lps_ras
from ..core.landmarks import Landmark
from ..utils.errors import LandmarkError

KINDS = "3D Slicer's .mrk.json or .fcsv, or a .csv with the columns label,x,y,z"
# A hundred thousand points take a tenth of it.
_MOST_BYTES = 1 << 27
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Slicer's files of before 4.11 give the frame as a number.
_FRAMES = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}
# Embeddings, overrides and isolates of the direction of writing.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
# As far from the origin as a volume may lie.
_FARTHEST_MM = 20_000.0


def read_text(path: Path) -> str:
    """The text of a landmark file; LandmarkError where it is empty, far too large, or no UTF-8."""
    try:
        if path.exists() and not path.is_file():
            raise LandmarkError(f"{path} is no ordinary file; give {KINDS}.")
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise LandmarkError(
            f"{path} can't be read: {error.strerror}; check the path and the permissions."
        ) from error
    if len(content) > _MOST_BYTES:
        raise LandmarkError(
            f"{path} is larger than {_MOST_BYTES >> 20} MB, as no landmark file is; give {KINDS}."
        )
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LandmarkError(f"{path} is not UTF-8 text; save it as {KINDS}, in UTF-8.") from error
    if not text.strip():
        raise LandmarkError(f"{path} is empty; place at least one point and save again.")
    return text


def frame_from(text: str, path: Path) -> str:
    """`LPS` or `RAS`, from the way in which a file says its frame."""
    frame = _FRAMES.get(text.strip().upper())
    if frame is None:
        raise LandmarkError(f"{path}: its coordinate system is {text[:80]!r}; save the points in LPS or RAS.")
    return frame


def landmark(
    label: str, coordinates: list[float] | None, frame: str, description: str, where: str
) -> Landmark:
    """A point of a file, in LPS; LandmarkError says `where` it stands if its label or place is none."""
    if sign := next((sign for sign in label if is_unprintable(sign)), ""):
        raise LandmarkError(
            f"{where}: the label {label[:80]!r} holds the sign {sign!r}, which can't be shown; give it another one."
        )
    if coordinates is not None and not all(abs(value) <= _FARTHEST_MM for value in coordinates):
        raise LandmarkError(
            f"{where}: the point {label[:80]!r} lies at {coordinates}, where no patient lies; give positions in mm."
        )
    position = None if coordinates is None else np.array(coordinates, dtype=float)
    if position is not None and frame == "RAS":
        position = swap_lps_ras(position)
    return Landmark(label, position, "".join(" " if is_unprintable(sign) else sign for sign in description))


def is_unprintable(sign: str) -> bool:
    """Whether a sign is a control character or half of a pair, which no page shows, or turns around what follows it."""
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _TURNING
