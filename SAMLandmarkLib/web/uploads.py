"""Scans that a browser sends, kept in a private folder under names of this program's own."""

from __future__ import annotations

import gzip
import re
import shutil
import uuid
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from ..core.modality import MODALITIES
from ..core.volume import Volume
from ..io.dicom_series import SeveralSeriesError
from ..io.volume_files import announced_bytes
from ..io.volume_paths import RADIOGRAPH_SUFFIXES, VOLUME_SUFFIXES, volume_name
from ..utils.errors import SAMLandmarkError, UsageError, VolumeError
from .detached_data_check import check_own_voxels
from .study_dates import date_of_folder
from .uploaded_scan import ReceivedScan

# Formats whose voxels lie in a second file can't come as one.
_SINGLE_FILES = (
    *(suffix for suffix in VOLUME_SUFFIXES if suffix not in (".nhdr", ".mhd")),
    *RADIOGRAPH_SUFFIXES,
)
_KINDS = (
    "a NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) file, a .zip with one DICOM series, or a radiograph (.dcm, "
    ".png, .jpg, .tif)"
)
_MOST_SLICES = 20_000
# A CT in a zip is seldom a third of its size; what grows far more than that was made to fill the disk.
_LARGEST_EXPANSION = 20
_FLOOR_BYTES = 64 * 2**20
_BLOCK = 1 << 20
_LONGEST_NAME = 80
_SLICES, _UNPACKED = "slices", "unpacked.nii"


class Uploads:
    """Receives files into `folder`; nothing is ever read or written under a name that a user gave."""

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        pixel_spacing_mm: float | None = None,
        modality: str | None = None,
    ) -> None:
        self.limit_bytes, self._pixel_spacing_mm = limit_bytes, pixel_spacing_mm
        self._modality = MODALITIES.get(modality or "")
        self._folder = folder

    async def receive(self, name: str, blocks: AsyncIterator[bytes]) -> Path:
        """Keep a file that arrives in blocks, and return where; UsageError where it is of no use or too large."""
        suffix = _suffix(name)
        folder = self._folder / f"upload-{uuid.uuid4().hex}"
        folder.mkdir()
        path, size = folder / f"scan{suffix}", 0
        try:
            with _new_file(path) as file:
                async for block in blocks:
                    size += len(block)
                    if size > self.limit_bytes:
                        raise UsageError(self._too_large(name))
                    file.write(block)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return path

    def read(self, path: Path, name: str) -> ReceivedScan:
        """Read a received file, then delete it; SAMLandmarkError, which speaks of `name`, where it is no scan.

        May run on another thread.
        """
        shown = shown_name(name)
        try:
            return self._read_zip(path, name) if path.suffix == ".zip" else self._read_file(path, name)
        except (OSError, MemoryError) as error:
            raise VolumeError(
                f"{shown} can't be read here ({type(error).__name__}); try a smaller scan."
            ) from error
        except SAMLandmarkError as error:
            # the path on this computer is nobody's business, and says nothing to the user
            text = str(error)
            for own in (_SLICES, _UNPACKED, path.name):
                text = text.replace(str(path.parent / own), shown)
            raise _same_kind(error)(text) from error
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _read_file(self, path: Path, name: str) -> ReceivedScan:
        if path.name.endswith(".nii.gz"):
            path = _unpacked(path, self._room(path))
        else:
            check_own_voxels(path)
        if announced_bytes(path) > self._room(path):
            raise VolumeError(f"{path} announces far more voxels than it can hold; give an ordinary scan.")
        volume = Volume.read(path, modality=self._modality, pixel_spacing_mm=self._pixel_spacing_mm)
        return ReceivedScan(_named(volume, name), None)

    def _read_zip(self, path: Path, name: str) -> ReceivedScan:
        folder = path.parent / _SLICES
        folder.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, folder, self._room(path), shown_name(name))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
            raise VolumeError(
                f"{shown_name(name)} is no readable .zip: it is cut short, damaged or has a password; make it again."
            ) from error
        try:
            volume = Volume.read(folder, modality=self._modality, pixel_spacing_mm=self._pixel_spacing_mm)
        except SeveralSeriesError as error:
            raise VolumeError(
                f"{shown_name(name)} holds {len(error.series)} DICOM series: {'; '.join(error.series)}. Make a .zip of the "
                "one that you want."
            ) from error
        return ReceivedScan(_named(volume, name), date_of_folder(folder))

    def _room(self, path: Path) -> int:
        """How many bytes a file may have when it is unpacked."""
        return max(_FLOOR_BYTES, min(_LARGEST_EXPANSION * path.stat().st_size, 4 * self.limit_bytes))

    def _too_large(self, name: str) -> str:
        return f"{shown_name(name)} is larger than {self.limit_bytes / 2**20:.0f} MB, the limit of this page."


def _same_kind(error: SAMLandmarkError) -> type[SAMLandmarkError]:
    """The kind of an error that takes one sentence."""
    kinds = (VolumeError, UsageError)
    return next((kind for kind in kinds if isinstance(error, kind)), SAMLandmarkError)


def _new_file(path: Path) -> BinaryIO:
    return open(path, "xb")


def shown_name(name: str) -> str:
    """A file name of a user as it may be shown: without folders and signs that can't be printed.

    >>> shown_name("../secret/chest.nii")
    'chest.nii'
    """
    last = re.split(r"[/\\]", name)[-1]
    return "".join(sign for sign in last if sign.isprintable()).strip()[:_LONGEST_NAME] or "scan"


def _suffix(name: str) -> str:
    lower = name.lower()
    for suffix in (*_SINGLE_FILES, ".zip"):
        if lower.endswith(suffix):
            return suffix
    raise UsageError(f"{shown_name(name)} is not a scan that the page can open; give {_KINDS}.")


def _named(volume: Volume, name: str) -> Volume:
    shown = shown_name(name)
    volume.name = shown[: -len(".zip")] if shown.lower().endswith(".zip") else volume_name(Path(shown))
    volume.name, volume.source = volume.name or "scan", None
    return volume


def _unpacked(path: Path, room: int) -> Path:
    """A gzipped file unpacked beside itself, in at most `room` bytes."""
    plain, size = path.with_name(_UNPACKED), 0
    try:
        with gzip.open(path) as packed, open(plain, "wb") as file:
            while block := packed.read(_BLOCK):
                size += len(block)
                if size > room:
                    raise VolumeError(
                        f"{path} grows far too much when it is unpacked; give an ordinary scan."
                    )
                file.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(f"{path} is cut short, damaged or not gzipped; copy it again.") from error
    return plain


def _extract(archive: zipfile.ZipFile, folder: Path, room: int, shown: str) -> None:
    """The files of an archive, numbered, without its folders; VolumeError where it was made to do harm."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > _MOST_SLICES:
        raise VolumeError(f"{shown} holds {len(members)} files; one series has at most {_MOST_SLICES}.")
    for member in members:
        if _leads_outside(member.filename):
            raise VolumeError(f"{shown} holds a file with a path that leads out of it; make the .zip again.")
    for number, member in enumerate(members):
        with archive.open(member) as packed, open(folder / f"{number:05d}.dcm", "wb") as file:
            while block := packed.read(_BLOCK):
                room -= len(block)
                if room < 0:
                    raise VolumeError(
                        f"{shown} grows far too much when it is unpacked; give an ordinary series."
                    )
                file.write(block)


def _leads_outside(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or ":" in parts[0]
