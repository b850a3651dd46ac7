"""Where Python packages come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InstallationSource:
    """A folder of wheels, or the internet where `folder` is None."""

    folder: Path | None = None
