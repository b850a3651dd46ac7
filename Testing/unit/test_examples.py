"""The examples in the documentation of the library run, and show what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name",
    [
        *("geometry", "landmarks", "lazy", "review.reasons", "review.report_html", "study.report_pairs"),
        *("study.report_time", "study.report_words", "translation", "volume"),
    ],
)
def test_examples_in_docstrings_are_true(name: str) -> None:
    module = import_module(f"SAMLandmarkLib.{name}")
    results = doctest.testmod(module, extraglobs={"np": import_module("numpy")})
    assert results.attempted > 0
    assert results.failed == 0
