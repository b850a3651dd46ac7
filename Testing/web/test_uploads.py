"""Files that were made to do harm."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.utils.errors import SAMLandmarkError, UsageError, VolumeError
from SAMLandmarkLib.web.paths import without_paths
from SAMLandmarkLib.web.uploads import Uploads, shown_name

MEBIBYTE = 2**20


@pytest.fixture
def uploads(tmp_path) -> Uploads:
    folder = tmp_path / "private"
    folder.mkdir()
    return Uploads(folder, 8 * MEBIBYTE)


@pytest.fixture
def upload(uploads) -> Callable[[str, bytes], object]:
    """A function that sends a file and reads it."""

    def send(name: str, content: bytes) -> object:
        # on a thread of its own, because the browser's driver has a running loop on this one
        with ThreadPoolExecutor() as thread:
            path = thread.submit(asyncio.run, uploads.receive(name, _blocks(content))).result()
        return uploads.read(path, name)

    return send


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), MEBIBYTE):
        yield content[start : start + MEBIBYTE]


def _zip_of(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.read_bytes()


@pytest.mark.parametrize(
    "name", ["../outside.dcm", "a/../../outside.dcm", "/etc/outside", "C:\\outside", "..\\x"]
)
def test_a_zip_whose_paths_lead_outside_is_refused(upload, tmp_path, name):
    content = _zip_of(tmp_path / "a.zip", {"fine.dcm": b"x", name: b"x"})
    with pytest.raises(VolumeError, match=r"scans\.zip holds a file with a path that leads out of it"):
        upload("scans.zip", content)
    assert not list(tmp_path.rglob("*outside*"))


def test_a_zip_that_fills_the_disk_is_refused_before_it_does(upload, tmp_path):
    content = _zip_of(tmp_path / "a.zip", {f"{number}.dcm": bytes(40 * MEBIBYTE) for number in range(4)})
    with pytest.raises(VolumeError, match=r"scans\.zip grows far too much"):
        upload("scans.zip", content)


def test_a_zip_that_lies_about_its_sizes_is_refused(upload, tmp_path):
    content = bytearray(_zip_of(tmp_path / "a.zip", {"a.dcm": bytes(100 * MEBIBYTE)}))
    size = struct.pack("<I", 100 * MEBIBYTE)
    assert content.count(size) == 2
    with pytest.raises(VolumeError, match=r"scans\.zip"):
        upload("scans.zip", bytes(content.replace(size, struct.pack("<I", 10))))


def test_a_zip_without_a_scan_says_so_by_its_own_name(upload, tmp_path, uploads):
    content = _zip_of(tmp_path / "a.zip", {"letter.txt": b"Dear colleague"})
    with pytest.raises(VolumeError, match=r"^scans\.zip holds no DICOM images") as error:
        upload("scans.zip", content)
    assert str(tmp_path) not in str(error.value)


def test_a_gzip_that_fills_the_memory_is_refused(upload):
    with pytest.raises(VolumeError, match=r"ct\.nii\.gz grows far too much"):
        upload("ct.nii.gz", gzip.compress(bytes(80 * MEBIBYTE)))


def test_a_header_that_announces_what_no_memory_holds_is_refused(upload):
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nsizes: 40000 40000 4000\nencoding: gzip\nendian: little\n"
        "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n\n"
    )
    with pytest.raises(VolumeError, match=r"ct\.nrrd announces far more voxels"):
        upload("ct.nrrd", header.encode() + gzip.compress(bytes(1000)))


def test_a_compressed_metaimage_that_fills_the_memory_is_refused(upload):
    header = (
        META_IMAGE.replace("10 10 10", "1000 1000 1000") + "CompressedData = True\nElementDataFile = LOCAL\n"
    )
    with pytest.raises(VolumeError, match=r"^ct\.mha announces far more voxels"):
        upload("ct.mha", header.encode() + zlib.compress(bytes(64 * MEBIBYTE)))


NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nsizes: 10 10 10\nencoding: raw\nendian: little\nspace: left-posterior-superior\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
)
META_IMAGE = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 10 10 10\n"
    "ElementSpacing = 1 1 1\nElementType = MET_SHORT\n"
)
LONG_NOTE = "".join(f"# {number}{'x' * 90}\n" for number in range(12_000))


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("ct.nrrd", NRRD + "data file: {path}\n"),
        ("ct.nrrd", NRRD + "DataFile: {path}\n"),
        ("ct.nrrd", NRRD + LONG_NOTE + "data file: {path}\n"),
        ("ct.mha", META_IMAGE + "ElementDataFile = {path}\n"),
        ("ct.mha", META_IMAGE + "ElementDataFile: {path}\n"),
        ("ct.mha", META_IMAGE + "Comment =\nElementDataFile = LOCAL\nElementDataFile = {path}\n"),
    ],
)
def test_a_scan_can_not_show_another_file_of_the_computer(upload, tmp_path, name, header):
    secret = tmp_path / "secret.raw"
    np.arange(1000, dtype=np.int16).tofile(secret)
    with pytest.raises(VolumeError, match=rf"^{name} does not hold its voxels itself"):
        upload(name, header.format(path=secret).encode())


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha"])
def test_a_scan_with_its_own_voxels_is_taken(upload, tmp_path, name):
    array = np.random.default_rng(1).integers(-1000, 1000, (60, 100, 150)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name))
    received = upload(name, (tmp_path / name).read_bytes())
    assert np.array_equal(received.volume.array, array)
    assert received.volume.name == "ct"


def test_what_is_wrong_inside_a_gzip_is_told_by_the_file_s_own_name(upload, tmp_path):
    with pytest.raises(VolumeError, match=r"^ct\.nii\.gz is called NIfTI, but") as error:
        upload("ct.nii.gz", gzip.compress(b"Dear colleague" * 99))
    assert str(tmp_path) not in str(error.value)


def test_what_is_larger_than_the_limit_is_not_kept(upload, tmp_path):
    with pytest.raises(UsageError, match="larger than 8 MB"):
        upload("ct.nii", bytes(9 * MEBIBYTE))
    assert not list((tmp_path / "private").iterdir())


@pytest.mark.parametrize("name", ["ct.nii", "ct.nrrd", "ct.mha", "ct.nii.gz", "ct.zip", "../../x/ct.nii"])
def test_nothing_stays_of_a_file_that_could_not_be_read(upload, tmp_path, name):
    with pytest.raises(SAMLandmarkError, match=r"^ct\.") as error:
        upload(name, np.random.default_rng(1).bytes(4000))
    assert str(tmp_path) not in str(error.value)
    assert not list((tmp_path / "private").iterdir())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.nii", "passwd.nii"),
        ("C:\\scans\\chest.nii", "chest.nii"),
        ("a\nb\x00.nii", "ab.nii"),
        ("", "scan"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_are_shown_without_folders_and_signs_that_cannot_be_seen(name, shown):
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/tmp/private/scan.nii can't be read", "scan.nii can't be read"),
        ("C:\\Users\\anna\\scan.nii is full.", "scan.nii is full."),
        ("values run from -1024 to 3071, 3/4 of them", "values run from -1024 to 3071, 3/4 of them"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
    ],
)
def test_messages_are_shown_without_folders(text, shown):
    assert without_paths(text) == shown
