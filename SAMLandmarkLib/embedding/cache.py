"""Embeddings on disk, so that a scan is embedded once and not once a session.

Entries are found by content: the voxels, their place in the patient, and what computed them. Several processes may
use one folder: an entry appears whole, by renaming, and whoever comes second replaces it by the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..utils.errors import OutputError, SAMLandmarkError
from ..utils.files import atomic_path, output_errors
from ..utils.translation import _

# embedding_file and with it torch only where an embedding is at hand: Slicer shows the size and clears without it
if TYPE_CHECKING:
    import torch

    from ..core.volume import Volume
    from ..models.bundle import EmbeddingModel
    from .embedding import Embedding

_ENTRY_NAME = re.compile(r"[0-9a-f]{64}\.npz")
_LEFTOVER_NAME = re.compile(r"\.[0-9a-f]{12}\.npz")
_LEFTOVER_SECONDS = 3600.0
"""A temporary file this old belongs to a process that died while writing it."""
_CLAIMS = 16
"""There are no more lock files than this; two names that share one only wait for each other."""


def default_cache_folder() -> Path:
    """The folder in which this system keeps what programs can compute again, for this user and program."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "SAMLandmark" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "SAMLandmark"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samlandmark"


def scan_digest(volume: Volume) -> str:
    """SHA-256, in hexadecimal, of a scan's voxels and their place in the patient."""
    scan = [str(volume.array.dtype), volume.array.shape, volume.ijk_to_lps.tolist()]
    digest = hashlib.sha256(json.dumps(scan).encode())
    digest.update(np.ascontiguousarray(volume.array).data)
    return digest.hexdigest()


def embedding_key(digest: str, model: EmbeddingModel) -> str:
    """SHA-256, in hexadecimal, of all that the embedding of a scan with this `scan_digest` depends on."""
    computed_by = [__version__, model.checksum, str(model.dtype), model.metadata.spacing_mm]
    return hashlib.sha256(json.dumps([computed_by, digest]).encode()).hexdigest()


class EmbeddingCache:
    """Embeddings in a folder of at most `limit_bytes`; the least recently used make room for new ones.

    Keys are those of `embedding_key`. The object itself touches nothing before it is asked, and needs no torch.
    """

    def __init__(self, folder: str | os.PathLike[str], limit_bytes: int) -> None:
        self.folder, self.limit_bytes = Path(folder), limit_bytes

    def get(self, key: str, device: torch.device | str = "cpu") -> Embedding | None:
        """The embedding of a key, without name, source and warnings; None where there is none that can be used."""
        from .embedding_file import read_embedding

        path = self._path(key)
        try:
            embedding = read_embedding(path, device)
        except SAMLandmarkError:
            return None
        with suppress(OSError):
            os.utime(path)
        return embedding

    def put(self, key: str, embedding: Embedding) -> None:
        """Keep an embedding. Raises OutputError where it can't be written."""
        from .embedding_file import write_embedding

        _create_private_folder(self.folder)
        with atomic_path(self._path(key)) as temporary, open(temporary, "xb") as file:
            write_embedding(file, embedding)
        self._make_room()

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Let other processes that claim the same name wait, so that they find in the cache what is computed here.

        Raises OutputError where the folder can't be used.
        """
        from filelock import FileLock

        _create_private_folder(self.folder)
        number = int(hashlib.sha256(name.encode()).hexdigest(), 16) % _CLAIMS
        claim = FileLock(self.folder / f"claim-{number}.lock")
        with output_errors(self.folder):
            claim.acquire()
        try:
            yield
        finally:
            claim.release()

    def size_bytes(self) -> int:
        """What the embeddings take on disk; 0 where the folder does not exist."""
        return sum(size for _, size, _ in self._files(_ENTRY_NAME))

    def clear(self) -> None:
        """Delete all embeddings, and nothing else that may lie in the folder."""
        for _time, _size, path in self._files(_ENTRY_NAME):
            _remove(path)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _make_room(self) -> None:
        entries = sorted(self._files(_ENTRY_NAME))
        excess = sum(size for _time, size, _path in entries) - self.limit_bytes
        for _time, size, path in entries:
            if excess > 0:
                _remove(path)
                excess -= size
        for when, _size, path in self._files(_LEFTOVER_NAME):
            if time.time() - when > _LEFTOVER_SECONDS:
                _remove(path)

    def _files(self, name: re.Pattern[str]) -> list[tuple[float, int, Path]]:
        """When each file was last used, its bytes, its path."""
        files = []
        with suppress(OSError), os.scandir(self.folder) as found:
            for item in found:
                if name.fullmatch(item.name):
                    # another process may have removed it since
                    with suppress(OSError):
                        state = os.stat(item.path)
                        files.append((state.st_mtime, state.st_size, Path(item.path)))
        return files


def _create_private_folder(folder: Path) -> None:
    # where things are in a patient's body is nobody else's business
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        closed = _("{folder} can't be used to keep embeddings ({reason}); choose another cache folder.")
        raise OutputError(closed.format(folder=str(folder), reason=error.strerror)) from error


def _remove(path: Path) -> None:
    # on Windows a file that another process reads stays; it goes the next time
    with suppress(OSError):
        path.unlink()
