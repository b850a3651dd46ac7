"""The examples in the documentation of the library run, and show what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import SAMLandmarkLib

LIBRARY = Path(SAMLandmarkLib.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
    for path in LIBRARY.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    results = doctest.testmod(import_module(name), extraglobs={"np": import_module("numpy")})
    assert results.attempted > 0
    assert results.failed == 0
