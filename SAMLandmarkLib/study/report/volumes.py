"""The scans of a study, read again for the pictures of its report."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from ...core.volume import Volume
from ...utils.errors import SAMLandmarkError, VolumeWarning
from ..inputs import is_unchanged
from ..plan import StudyScan


@dataclass(frozen=True, eq=False)
class PictureSource:
    """A volume, or None and a note that tells why there is none."""

    volume: Volume | None
    note: str = ""


class TemplateVolumes:
    """Reads templates, and keeps the last one, which may be that of every patient."""

    def __init__(self) -> None:
        self._scan: StudyScan | None = None
        self._checksum: str | None = None
        self._source = PictureSource(None)

    def read(self, scan: StudyScan, checksum: str | None) -> PictureSource:
        """The template as it was when the landmarks were carried from it; see `read_again`."""
        if (scan, checksum) != (self._scan, self._checksum):
            # Let go of the last one first, so that there are never two of them.
            self._source = PictureSource(None)
            self._source = read_again(scan, checksum)
            self._scan, self._checksum = scan, checksum
        return self._source


def read_again(scan: StudyScan, checksum: str | None) -> PictureSource:
    """Read a scan's voxels; one that can't be read, or isn't what `checksum` tells, has no volume."""
    try:
        if checksum and not is_unchanged(scan, checksum):
            return PictureSource(
                None, f"{_shown_name(scan)} has changed since its landmarks were found; it is not shown."
            )
        with warnings.catch_warnings():
            # The report tells them as they were when the landmarks were found.
            warnings.simplefilter("ignore", VolumeWarning)
            return PictureSource(scan.read())
    except (SAMLandmarkError, OSError, MemoryError):
        return PictureSource(None, f"{_shown_name(scan)} can't be read any more; it is not shown.")


def _shown_name(scan: StudyScan) -> str:
    return scan.name if scan.files else scan.path.name
