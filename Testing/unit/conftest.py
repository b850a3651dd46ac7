"""Fixtures that several tests of the library alone use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from toy_series import HU, PLAIN, Series, Writer


@pytest.fixture
def write_series(tmp_path: Path) -> Writer:
    """Write the slices `kept` of HU as a series into a folder, and return the folder."""

    def write(
        series: Series = PLAIN, kept: Sequence[int] = range(len(HU)), name: str = "IM{:03d}.dcm"
    ) -> Path:
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        for k in kept:
            series.write_slice(folder / name.format(k), HU[k], k)
        return folder

    return write
