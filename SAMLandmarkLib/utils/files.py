"""Files that are written whole or not at all, and checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError, SAMLandmarkError
from .translation import _


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> None:
    r"""Write `data` (text as UTF-8) to `path`, so that the file is whole or not there.

    Names of files that are no UTF-8, as on old discs, reach texts as halves of pairs; they are written as `\udcfc`,
    which JSON reads back as the same name.
    Raises OutputError where the file can't be written; a file that was there before then stays as it was.
    """
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it is renamed to `path` when the block ends well.

    The temporary name ends like `path`, so that writers which look at the extension do the same thing. It is
    removed when the block fails. An OSError (no permission, disk full, …) becomes an OutputError.
    """
    path = Path(path)
    # A short name, because `path.name` may already be as long as the file system allows.
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}{''.join(path.suffixes[-2:])}")
    try:
        with output_errors(path):
            yield temporary
            _flush_to_disk(temporary)
            os.replace(temporary, path)
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in the block into an OutputError that says what is wrong with writing `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(_write_failure(path, error)) from error


def create_folder(path: str | os.PathLike[str]) -> Path:
    """Create the folder `path` and its parents where needed, and return it; OutputError where that fails."""
    folder = Path(path)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256, in hexadecimal, of a file, or of the names and contents of all files in a folder.

    Raises SAMLandmarkError where something there can't be read.
    """
    path = Path(path)
    try:
        return _sha256_of_folder(path) if path.is_dir() else _sha256_of_file(path)
    except OSError as error:
        unreadable = _("{path} can't be read: {reason}; check the path and the permissions.")
        raise SAMLandmarkError(unreadable.format(path=str(path), reason=error.strerror)) from error


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """After a power cut the file is there under its name; Windows does this by itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_failure(path: Path, error: OSError) -> str:
    return _("{path} can't be written: {remedy}.").format(path=str(path), remedy=_remedy(error))


def _remedy(error: OSError) -> str:
    known = {
        errno.ENOSPC: _("the disk is full; free some space or choose another folder"),
        errno.EDQUOT: _("the disk quota is used up; free some space or choose another folder"),
        errno.EFBIG: _("the file is larger than this disk or user is allowed; choose another folder"),
        errno.EACCES: _("no permission to write there; choose a folder that you may write to"),
        errno.EPERM: _("no permission to write there; choose a folder that you may write to"),
        errno.EROFS: _("the disk is read-only; choose a folder that you may write to"),
        errno.ENOENT: _("the folder does not exist; create it first"),
        errno.ENOTDIR: _("a part of the path is a file, not a folder; choose another folder"),
        errno.EEXIST: _("a file of this name is in the way; remove it or choose another folder"),
        errno.EISDIR: _("a folder of this name is in the way; remove it or choose another name"),
        errno.ENAMETOOLONG: _("the name is too long; choose a shorter one"),
    }
    if error.errno in known:
        return known[error.errno]
    return _("{reason}; choose another folder").format(reason=error.strerror or str(error))


def _sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sha256_of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{_sha256_of_file(file)}\n".encode())
    return digest.hexdigest()
