"""Embeddings of volume files, each computed once, of which only a few stay in memory."""

from __future__ import annotations

import tempfile
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embedding.embedding_file import read_embedding, write_embedding
from ..volume import Volume

if TYPE_CHECKING:
    from ..embedding.embedding import Embedding
    from ..transfer import TransferEngine


class EmbeddingStore:
    """Reads and embeds volume files on demand; the least recently used embeddings wait in a temporary folder.

    Reading an embedding back takes a tenth of a second, computing it seconds. Use it as a context manager,
    which removes the temporary folder.
    """

    def __init__(self, engine: TransferEngine, kept_in_memory: int = 2) -> None:
        self.seconds = 0.0
        self._engine = engine
        self._kept_in_memory = kept_in_memory
        self._in_memory: OrderedDict[Path, Embedding] = OrderedDict()
        self._on_disk: dict[Path, tuple[Path, dict[str, Any]]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="samlandmark-")

    def __enter__(self) -> EmbeddingStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self._in_memory.clear()
        self._folder.cleanup()

    def __getitem__(self, path: Path) -> Embedding:
        """The embedding of a volume file."""
        if path not in self._in_memory:
            self._in_memory[path] = self._read_back(path) if path in self._on_disk else self._compute(path)
        self._in_memory.move_to_end(path)
        if len(self._in_memory) > self._kept_in_memory:
            self._put_away(*self._in_memory.popitem(last=False))
        return self._in_memory[path]

    def _compute(self, path: Path) -> Embedding:
        volume = Volume.read(path)
        started = time.perf_counter()
        embedding = self._engine.embed(volume)
        self.seconds += time.perf_counter() - started
        return embedding

    def _read_back(self, path: Path) -> Embedding:
        file, scan = self._on_disk[path]
        return replace(read_embedding(file, self._engine.model.device), **scan)

    def _put_away(self, path: Path, embedding: Embedding) -> None:
        if path not in self._on_disk:
            file = Path(self._folder.name) / f"{len(self._on_disk)}.npz"
            with open(file, "wb") as stream:
                write_embedding(stream, embedding)
            # what the file leaves out, because it is the scan's
            scan = {name: getattr(embedding, name) for name in ("name", "source", "warnings")}
            self._on_disk[path] = (file, scan)
