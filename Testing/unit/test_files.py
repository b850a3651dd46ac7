"""Files are written whole or not at all, and failures say why and what to do."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import SAMLandmarkLib
from SAMLandmarkLib.utils.errors import OutputError, SAMLandmarkError
from SAMLandmarkLib.utils.files import atomic_path, create_folder, sha256_of, write_atomically

PROJECT = Path(SAMLandmarkLib.__file__).parents[1]
NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A folder that everybody may look into and nobody may write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.csv", "Küste,1\n")
    write_atomically(str(tmp_path / "b.bin"), b"\x00\xff\r\n")
    assert (tmp_path / "a.csv").read_bytes() == "Küste,1\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff\r\n"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.csv", "b.bin"]


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "older and longer")
    write_atomically(path, "newer")
    assert path.read_text() == "newer"


def test_files_get_the_permissions_that_other_programs_would_give(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "theirs").stat().st_mode
    )


def test_a_block_that_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("older")
    with pytest.raises(KeyError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyError("something else went wrong")
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_at_the_final_name_before_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert not path.exists()
        inode = temporary.stat().st_ino
    # Renamed, and not copied.
    assert path.stat().st_ino == inode


def test_a_full_disk_is_said_and_leaves_nothing_half_written(small_disk: Path) -> None:
    path = small_disk / "transfer.csv"
    path.write_text("older")
    with pytest.raises(
        OutputError, match="the disk is full; free some space or choose another folder"
    ) as caught:
        write_atomically(path, b"x" * 100_000)
    assert str(path) in str(caught.value)
    assert path.read_text() == "older"
    assert list(small_disk.iterdir()) == [path]


def test_a_limit_on_file_sizes_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OutputError, match="larger than this disk or user is allowed") as caught:
            write_atomically(path, b"x" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_said(locked_folder: Path) -> None:
    # Root may write anywhere, so that it has to become somebody else.
    script = f"""
import os
from SAMLandmarkLib.utils.errors import OutputError
from SAMLandmarkLib.utils.files import create_folder, write_atomically
if os.getuid() == 0:
    os.setuid({NOBODY})
folder = {str(locked_folder)!r}
for write in (lambda: write_atomically(folder + "/a.txt", "x"), lambda: create_folder(folder + "/b")):
    try:
        write()
    except OutputError as error:
        print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    first, second = result.stdout.splitlines()
    assert first == (
        f"{locked_folder / 'a.txt'} can't be written: no permission to write there; "
        "choose a folder that you may write to."
    )
    assert second.startswith(f"{locked_folder / 'b'} can't be written: no permission")
    assert list(locked_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent/a.txt", "the folder does not exist; create it first"),
        ("file/a.txt", "a part of the path is a file, not a folder"),
        ("folder", "a folder of this name is in the way"),
        ("x" * 300, "the name is too long"),
    ],
)
def test_paths_that_cannot_be_written_say_why(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=words) as caught:
        write_atomically(tmp_path / name, "x")
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder"]


def test_folders_are_created_with_their_parents(tmp_path: Path) -> None:
    assert create_folder(tmp_path / "a" / "b").is_dir()
    assert create_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="a file of this name is in the way"):
        create_folder(tmp_path / "out")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        create_folder(tmp_path / "out" / "deeper")


def test_the_checksum_of_a_file_is_that_of_sha256(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a.bin").write_bytes(content)
    assert sha256_of(tmp_path / "a.bin") == hashlib.sha256(content).hexdigest()


def test_the_checksum_of_a_folder_knows_every_name_and_content(tmp_path: Path) -> None:
    def checksum(files: dict[str, str], name: str) -> str:
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(content)
        return sha256_of(tmp_path / name)

    first = checksum({"IM1": "a", "deep/IM2": "b"}, "first")
    assert checksum({"deep/IM2": "b", "IM1": "a"}, "in another order") == first
    assert checksum({"IM1": "a", "deep/IM2": "c"}, "other content") != first
    assert checksum({"IM1": "a", "deep/IM3": "b"}, "other name") != first
    assert checksum({"IM1": "b", "deep/IM2": "a"}, "swapped") != first


def test_a_checksum_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SAMLandmarkError, match="absent can't be read: No such file"):
        sha256_of(tmp_path / "absent")


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, SAMLandmarkLib; print(sorted({'numpy', 'torch', 'SimpleITK'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_package_exposes_its_main_classes() -> None:
    from SAMLandmarkLib.core.landmarks import Landmark, LandmarkSet
    from SAMLandmarkLib.core.volume import Volume

    assert SAMLandmarkLib.Volume is Volume
    assert (SAMLandmarkLib.Landmark, SAMLandmarkLib.LandmarkSet) == (Landmark, LandmarkSet)
    assert {"TransferEngine", "TransferResult", "Status", "Volume"} <= set(dir(SAMLandmarkLib))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = SAMLandmarkLib.Nothing
