"""NRRD files, judged by pynrrd; their checksums by Python's gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

import nrrd
import numpy as np

from .case import Case, Reading, judge_image
from .damage import damaged_bytes, damaged_text
from .images import made_image, read_image

_SIGNS = {
    "left-posterior-superior": (1, 1, 1), "right-anterior-superior": (-1, -1, 1), "left-anterior-superior": (1, -1, 1),
    "lps": (1, 1, 1), "ras": (-1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_WORDS = (
    "raw", "gzip", "gz", "bzip2", "hex", "ascii", "big", "little", "short", "ushort", "uchar", "float", "double", "block",
    "left-posterior-superior", "right-anterior-superior", "scanner-xyz", "LIST", "other.raw", "../scan.nrrd", "/etc/passwd",
    "(nan,0,0) (0,1,0) (0,0,1)", "none (1,0,0) (0,1,0)", "(1,0,0) (1,0,0) (0,0,1)", "domain domain vector", '"cm" "cm" "cm"',
    '"mm" "cm" "mm"', "3", "4", "-1", "",
)  # fmt: skip
_EXTRA = (
    "byte skip: 2", "byte skip: -1", "byte skip: -2", "line skip: 1", "line skip: 99999999", "data file: scan.nrrd",
    'space units: "cm" "cm" "cm"', 'space units: "m" "m" "m"', "spacings: 1 1 1", "kinds: vector domain domain",
    "measurement frame: (1,0,0) (0,1,0) (0,0,1)", "unknown field: 5", "sizes: 2 2 2", "key:=value", "# comment", "min: 0",
    "block size: 4", "axis mins: 5 5 5", "old max: 3",
)  # fmt: skip


def make(rng: np.random.Generator, folder: Path) -> Case:
    """An NRRD file as pynrrd writes it, with nothing, its header or its bytes damaged."""
    truth = made_image(rng)
    path = folder / "scan.nrrd"
    _write(rng, truth, path)
    how = str(rng.choice(["valid", "header", "header", "extra", "bytes", "voxels"]))
    what = how
    head, gap, voxels = path.read_bytes().partition(b"\n\n")
    if how == "header":
        text, what = damaged_text(rng, head.decode(), _WORDS)
        head = text.encode("utf-8", "surrogatepass")
    elif how == "extra":
        lines = head.decode().splitlines()
        what = str(rng.choice(_EXTRA))
        lines.insert(int(rng.integers(1, len(lines) + 1)), what)
        head = "\n".join(lines).encode()
    elif how == "bytes":
        content, what = damaged_bytes(rng, head + gap + voxels)
        head, gap, voxels = content, b"", b""
    elif how == "voxels":
        voxels, what = damaged_bytes(rng, voxels)
    path.write_bytes(head + gap + voxels)
    return Case(
        what, how == "valid", lambda: read_image(path), judge_image(lambda: read_by_pynrrd(path), truth)
    )


def _write(rng: np.random.Generator, truth: Reading, path: Path) -> None:
    space = str(rng.choice(list(_SIGNS)[:3]))
    to_space = np.diag(np.array(_SIGNS[space], dtype=float))
    header = {
        "space": space,
        "space directions": (to_space @ truth.ijk_to_lps[:3, :3]).T,
        "space origin": to_space @ truth.ijk_to_lps[:3, 3],
        "encoding": str(rng.choice(["raw", "gzip", "gzip", "ascii"])),
        "kinds": ["domain"] * 3,
    }
    nrrd.write(str(path), truth.array.T, header)


def read_by_pynrrd(path: Path) -> Reading:
    """What pynrrd reads, of a stream that Python's gzip finds whole, in the header's frame and unit."""
    content = path.read_bytes()
    header = nrrd.read_header(str(path))
    if header["encoding"].lower() in ("gzip", "gz") and "data file" not in header:
        gzip.decompress(content[content.index(b"\n\n") + 2 :])
    array = nrrd.read(str(path))[0].T
    signs = np.diag([*_SIGNS[header["space"].lower()], 1.0])
    factor = 1.0
    if "space units" in header:
        (factor,) = {{"mm": 1.0, "cm": 10.0, "m": 1000.0}[unit.strip('"')] for unit in header["space units"]}
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = np.array(header["space directions"], dtype=float).T * factor
    ijk_to_lps[:3, 3] = np.array(header["space origin"], dtype=float) * factor
    return Reading(array, signs @ ijk_to_lps)
