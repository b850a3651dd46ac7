"""What reading a volume says against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeError


def refusal(path: Path) -> str:
    """The message with which reading `path` is refused; it must name the path."""
    with pytest.raises(VolumeError) as caught:
        Volume.read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def doubts(path: Path) -> str:
    """The warnings with which `path` is read."""
    with pytest.warns(UserWarning):
        return " ".join(Volume.read(path).warnings)
