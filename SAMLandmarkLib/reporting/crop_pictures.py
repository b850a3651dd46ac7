"""Crops around a landmark as PNG, without any drawing library."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from ..core.crops import axial_crop, coronal_crop
from ..core.grey_windows import GreyWindow
from ..core.volume import Volume
from ..review.item import Point

CROP_MM = 80.0
PIXELS = 200
# Gray where the scan ends, so that it differs from black air.
_OUTSIDE = 44


@dataclass(frozen=True, eq=False)
class Crops:
    """An axial and a coronal crop around a point `[rows, columns]`, NaN outside the scan, and what shows them well."""

    axial: np.ndarray
    coronal: np.ndarray
    window: GreyWindow


def crops_around(volume: Volume | None, place_lps: Point | None) -> Crops | None:
    """Crops 80 mm wide around a point (LPS mm), None where there is no volume there."""
    if volume is None or place_lps is None or not volume.contains_lps(np.array(place_lps)):
        return None
    axial, coronal = (cut(volume, np.array(place_lps), CROP_MM, PIXELS) for cut in (axial_crop, coronal_crop))
    return Crops(axial, coronal, volume.modality.window_for(axial))


def picture_address(crop: np.ndarray, window: GreyWindow) -> str:
    """A crop as the `data:` address of a PNG."""
    shares = (crop - window.black) / (window.white - window.black)
    gray = np.where(np.isnan(shares), _OUTSIDE, np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(png(gray)).decode("ascii")


def png(gray: np.ndarray) -> bytes:
    """A PNG file of gray values `[rows, columns]` uint8.

    >>> png(np.zeros((2, 3), np.uint8))[1:4]
    b'PNG'
    """
    rows, columns = gray.shape
    # Each row is stored as differences to the row above, which packs smaller.
    above = np.vstack([np.zeros((1, columns), np.uint8), gray[:-1]])
    filtered = np.hstack([np.full((rows, 1), 2, np.uint8), gray - above])
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
