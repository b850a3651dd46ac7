"""Keeps the folders of this computer out of what a browser shows."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:;,'\"()]+)+[/\\]([^\s/\\:;,'\"()]+)")


def without_paths(text: str) -> str:
    """A message with every path cut down to the name at its end.

    >>> without_paths("/home/anna/scans/chest.nii.gz can't be read; 3/4 is done.")
    "chest.nii.gz can't be read; 3/4 is done."
    """
    return _PATH.sub(r"\1", str(text))
