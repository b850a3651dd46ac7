"""Files as a browser sends them to the page, judged as the same files on disk are."""

from __future__ import annotations

import asyncio
import io
import warnings
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from SAMLandmarkLib.web.uploads import Uploads

from . import dicom, metaimage, nifti, nrrd_files
from .case import Case, Reading
from .images import reading_of

_LIMIT = 64 << 20
_NAMES = ("", "../", "C:\\x\\", "a" * 300, "\x1b[31m", "\N{RIGHT-TO-LEFT OVERRIDE}", "con.", "scan'\"<b>")


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A file of a format that the page takes, under a name of any kind."""
    kind = (nifti, nrrd_files, metaimage, dicom)[int(rng.integers(4))]
    case = kind.make(rng, folder)
    private = folder / "private"
    private.mkdir()
    source = next(path for path in folder.iterdir() if path != private)
    content, suffix = _content(rng, source)
    name = f"{_NAMES[int(rng.integers(len(_NAMES)))]}scan{suffix}"

    def read() -> Reading:
        uploads = Uploads(private, _LIMIT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            received = asyncio.run(uploads.receive(name, _blocks(content)))
            return reading_of(uploads.read(received, name).volume)

    def judge(answer: Reading) -> str:
        return case.judge(answer)

    return Case(f"{name[-30:]!r}: {case.what}", case.is_valid, read, judge)


def _content(rng: np.random.Generator, source: Path) -> tuple[bytes, str]:
    if source.is_file():
        return source.read_bytes(), "".join(source.suffixes)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, f"series/{path.name}")
    return file.getvalue(), ".zip"


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1 << 16):
        yield content[start : start + (1 << 16)]
