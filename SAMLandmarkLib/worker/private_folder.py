"""A folder for the scans of one program, which does not outlive it for long."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

PREFIX = "samlandmark-"
LOCK_NAME = "owner.lock"
YOUNG_SECONDS = 60.0
"""A lock file this young may be about to be locked."""


class PrivateFolder:
    """A new folder that only this user may read, in `parent` or the system's temporary folder.

    Its owner holds a lock in it, which ends with the process; folders without an owner, left behind by programs that
    were killed, are removed on the way. Raises OSError.
    """

    def __init__(self, parent: Path | str | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
        self._lock = _locked(self.path / LOCK_NAME)
        for folder in self.path.parent.glob(f"{PREFIX}*"):
            if folder != self.path:
                _remove_if_abandoned(folder)

    def remove(self) -> None:
        """Delete the folder and all that is in it, also what another thread still writes into it."""
        if self._lock is not None:
            self._lock.close()
        place = self.path
        # under another name nothing can be added to it; Windows refuses where a file is open
        with suppress(OSError):
            place = place.rename(place.with_name(f"{place.name}-removed"))
        shutil.rmtree(place, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    path = folder / LOCK_NAME
    with suppress(OSError):
        # Others may put anything into a common temporary folder; a pipe would never be opened.
        if folder.is_symlink() or not stat.S_ISREG(path.lstat().st_mode) or not _is_mine(folder):
            return
        if time.time() - path.stat().st_mtime < YOUNG_SECONDS:
            return
        if (lock := _locked(path)) is not None:
            lock.close()
            shutil.rmtree(folder, ignore_errors=True)


def _is_mine(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _locked(path: Path) -> IO[bytes] | None:
    """The opened file with a lock on it; None where another process has it."""
    file = open(path, "ab")  # noqa: SIM115  (its lock is held until the end)
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
