"""Embeddings that are computed once, kept on disk by the content of the scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ..core.volume import Volume
from ..embedding.cache import EmbeddingCache, embedding_key
from ..embedding.embedding import Embedding
from ..models.bundle import EmbeddingModel
from ..utils.errors import OutputError
from ..utils.translation import _, sentence_of
from .scans import EmbeddedScan


class EmbeddingStore:
    """The cache on disk as the engine uses it: where it can't be written, `note` is told and only time is lost."""

    def __init__(self, cache: EmbeddingCache, note: Callable[[str], None]) -> None:
        self.cache = cache
        self._note = note

    def find(self, digest: str, volume: Volume, model: EmbeddingModel) -> Embedding | None:
        """The embedding of a volume with this digest, with the volume's own name; None where it is not kept."""
        cached = self.cache.get(embedding_key(digest, model), model.device)
        if cached is None:
            return None
        source = None if volume.source is None else str(volume.source)
        return replace(cached, name=volume.name, source=source, warnings=volume.warnings)

    def keep(self, scan: EmbeddedScan) -> None:
        """Keep a new embedding."""
        if scan.from_cache or not self.cache.limit_bytes:
            return
        try:
            self.cache.put(scan.cache_key, scan.embedding)
        except OutputError as error:
            self._note_unkept(error)

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Let other processes with the same cache wait that claim the same name; they find in it what is made here."""
        with ExitStack() as claims:
            if self.cache.limit_bytes:
                try:
                    claims.enter_context(self.cache.claimed(name))
                except OutputError as error:
                    self._note_unkept(error)
            yield

    def _note_unkept(self, error: OutputError) -> None:
        self._note(_("Embeddings are not kept: {reason}").format(reason=sentence_of(error)))
