"""Fixtures for the tests of the extension as a package: its files, lists, catalog entry and installation."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import slicer

REPOSITORY = Path(__file__).parents[2]

for folder in (REPOSITORY / "SAMLandmark", REPOSITORY / "Testing"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

# slicer-core brings no translations.
from slicer_standin import translation

sys.modules["slicer.i18n"] = slicer.i18n = translation


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the checkout."""
    return REPOSITORY


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a real wheel in `wheels/`, which pip can install, and returns that folder."""

    def make(name: str, version: str, requires: str | None = None) -> Path:
        folder = tmp_path / "wheels"
        folder.mkdir(exist_ok=True)
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        if requires:
            metadata += f"Requires-Dist: {requires}\n"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
            wheel.writestr(f"{info}/METADATA", metadata)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return folder

    return make
