"""The scans a worker may need, each written once to a file that outlives the worker."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .messages import ScanData


class ScanFile:
    """One version of a scan; its array goes to the file when that is first needed, and is let go then."""

    def __init__(self, scan: ScanData, path: Path) -> None:
        self.path = path
        self.reference: dict[str, Any] = {
            "key": scan.key,
            "name": scan.name,
            "file": str(path),
            "ijk_to_lps": np.asarray(scan.ijk_to_lps, dtype=float).tolist(),
            "source": scan.source,
            "modality": scan.modality,
        }
        self._array: np.ndarray | None = scan.array
        self._discarded = False
        self._busy = threading.Lock()

    def write(self) -> None:
        """Write the array unless that is done; any thread may do it. Raises OSError."""
        with self._busy:
            array, discarded = self._array, self._discarded
            if array is not None and not discarded:
                with open(self.path, "wb") as file:
                    np.save(file, array, allow_pickle=False)
            self._array = None
        if self._discarded:
            self._remove()

    def discard(self) -> None:
        """Remove the file, now or as soon as the thread that writes it is done."""
        self._discarded = True
        if self._busy.acquire(blocking=False):
            try:
                self._array = None
                self._remove()
            finally:
                self._busy.release()

    def _remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()
