"""The results of a session as one file for the browser."""

from __future__ import annotations

import shutil
import uuid
import zipfile
from pathlib import Path

from ..session import TransferSession

DOWNLOAD_NAME = "samlandmark-results.zip"


def write_download(session: TransferSession, folder: Path) -> bytes:
    """What `TransferSession.export` writes, as the bytes of a .zip; `folder` is used meanwhile.

    Raises UsageError where there is nothing to export and OutputError where a file can't be written.
    """
    place = folder / f"download-{uuid.uuid4().hex}"
    place.mkdir()
    try:
        files = session.export(place / "results")
        packed = place / DOWNLOAD_NAME
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return packed.read_bytes()
    finally:
        shutil.rmtree(place, ignore_errors=True)
