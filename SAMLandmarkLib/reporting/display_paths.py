"""What a report says of files: their names, and nothing of the machine they lie on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# A path from the root of a POSIX or Windows system, up to the last separator; names with spaces are known as such.
_FOLDERS = re.compile(
    r"(?<![\w.~/\\-])(?:[A-Za-z]:[\\/]|\\\\|/|~/)(?:[^\s/\\:'\"<>|]+[\\/])*(?=[^\s/\\:'\"<>|])"
)


def without_folders(text: str, folders: Iterable[Path] = ()) -> str:
    """A text in which files are called by their names alone; `folders` are those that it may speak of.

    >>> without_folders("/data/a b/scan.nii.gz is damaged, see /var/log/x.txt", [Path("/data/a b")])
    'scan.nii.gz is damaged, see x.txt'
    """
    for folder in sorted(folders, key=lambda item: -len(str(item))):
        if folder.is_absolute() and folder.name and str(folder) in text:
            text = re.sub(rf"{re.escape(str(folder))}[\\/](?=[^\s\\/])", "", text)
            text = folder.name.join(re.split(rf"{re.escape(str(folder))}(?![\w.-])[\\/]?", text))
    return _FOLDERS.sub("", text)


def counted(number: int, what: str) -> str:
    """A number of things that have a regular plural.

    >>> counted(1, "scan"), counted(1200, "scan")
    ('1 scan', '1,200 scans')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
