"""All scans of a folder, embedded and kept in memory."""

from __future__ import annotations

from pathlib import Path

from ..embedding.embedding import Embedding
from ..io.volume_paths import volume_files
from ..utils.errors import UsageError
from ..utils.progress import Progress
from .runtime import EngineRuntime


def embedded_folder(
    runtime: EngineRuntime, folder: Path, progress: Progress | None = None
) -> dict[Path, Embedding]:
    """The embeddings of the scans in a folder by their files, in the files' order.

    Raises UsageError where the folder has no scans, or scans of several modalities, and VolumeError where one can't be
    read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give one that holds scans.")
    paths = volume_files(folder)
    scans: dict[Path, Embedding] = {}
    for number, path in enumerate(paths):
        if progress is not None:
            progress(path.name, number / len(paths))
        scans[path] = runtime.embed_volume(runtime.read(path)).embedding
    titles = sorted({scan.modality.title for scan in scans.values()})
    if len(titles) != 1:
        found = f"scans of several modalities ({', '.join(titles)})" if titles else "no scans"
        raise UsageError(f"{folder} holds {found}; give a folder with scans of one modality.")
    return scans
