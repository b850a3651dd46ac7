"""Where the library SAMLandmarkLib lies, in the installed extension and in a checkout."""

from __future__ import annotations

import sys
from pathlib import Path

_MODULE_FOLDER = Path(__file__).resolve().parents[1]


def libraryFolder() -> Path:
    """The folder that holds SAMLandmarkLib: that of SAMLandmark.py when installed, the one above it in a checkout."""
    return _MODULE_FOLDER if (_MODULE_FOLDER / "SAMLandmarkLib").is_dir() else _MODULE_FOLDER.parent


def makeLibraryImportable() -> None:
    """Put the folder of SAMLandmarkLib on `sys.path`, where Slicer has it only when the extension is installed."""
    folder = str(libraryFolder())
    if folder not in sys.path:
        sys.path.append(folder)
