"""SAMLandmark.json and CMakeLists.txt pass what the index of Slicer's extensions checks by itself."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

# Schema v1.0.2 of catalog entries: every key with its type; no other key is allowed.
SCHEMA = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
KEYS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
REQUIRED = {"$schema", "category", "scm_url"}
# Of the categories that the index accepts, those that fit.
CATEGORIES = {"Registration", "Quantification", "Tracking"}
BYTES_ALLOWED = 100e6
# A clone of one commit holds every file twice: packed, and as it is. The rest is room for what is not ours to count.
TREE_BYTES_ALLOWED = 48e6
BRANCH = "main"


@pytest.fixture(scope="module")
def entry(repository: Path) -> dict:
    """The catalog entry."""
    return json.loads((repository / "SAMLandmark.json").read_text())


@pytest.fixture(scope="module")
def cmake(repository: Path) -> dict[str, str]:
    """Name and text of every `set(EXTENSION_… "…")`, found as the index finds them, and the project's name."""
    text = (repository / "CMakeLists.txt").read_text()
    values = dict(re.findall(r'set\s*\((EXTENSION_\w+)\s*"([^"]+)"\s*\)', text))
    (values["project"],) = re.findall(r"^project\((\w+)\)", text, re.MULTILINE)
    return values


def test_entry_follows_the_schema(entry: dict) -> None:
    assert entry["$schema"] == SCHEMA
    assert entry.keys() >= REQUIRED
    for key, value in entry.items():
        assert type(value) is KEYS[key], key
    assert all(isinstance(name, str) for name in entry["build_dependencies"])
    assert 1 <= entry["tier"] <= 5


def test_entry_has_unix_line_ends_and_one_at_the_end(repository: Path) -> None:
    contents = (repository / "SAMLandmark.json").read_bytes()
    assert b"\r" not in contents
    assert contents.endswith(b"}\n")


def test_category_and_repository_follow_the_rules_of_the_index(entry: dict) -> None:
    assert entry["category"] in CATEGORIES
    address = urlsplit(entry["scm_url"])
    assert address.scheme == "https"
    assert re.match(r"Slicer(Extension)?[-_]?SAMLandmark\.git$", address.path.split("/")[-1])


def test_extension_has_one_name_that_does_not_begin_with_slicer(cmake: dict) -> None:
    assert cmake["project"] == "SAMLandmark"
    assert not cmake["project"].startswith("Slicer")


def test_dependencies_agree(entry: dict, cmake: dict) -> None:
    assert cmake["EXTENSION_DEPENDS"].split() == entry["build_dependencies"] == ["PyTorch"]


def test_every_address_is_in_the_same_repository(entry: dict, cmake: dict) -> None:
    owner_and_name = urlsplit(entry["scm_url"]).path.removesuffix(".git")
    assert cmake["EXTENSION_HOMEPAGE"] == f"https://github.com{owner_and_name}"
    raw = f"https://raw.githubusercontent.com{owner_and_name}/{BRANCH}/"
    for address in (cmake["EXTENSION_ICONURL"], *cmake["EXTENSION_SCREENSHOTURLS"].split()):
        assert address.startswith(raw)


def test_icon_and_screenshots_are_pictures_in_the_repository(
    entry: dict, cmake: dict, repository: Path
) -> None:
    addresses = [cmake["EXTENSION_ICONURL"], *cmake["EXTENSION_SCREENSHOTURLS"].split()]
    assert len(addresses) >= 2
    for address in addresses:
        path = repository / address.split(f"/{BRANCH}/", 1)[1]
        assert path.read_bytes().startswith((b"\x89PNG", b"\xff\xd8"))


def test_description_is_understandable_and_short(cmake: dict) -> None:
    sentences = re.findall(r"[^.]+\.(?=\s|$)", cmake["EXTENSION_DESCRIPTION"])
    assert 1 <= len(sentences) <= 3
    assert {"CT", "landmarks", "follow-ups"} <= set(re.findall(r"[\w-]+", cmake["EXTENSION_DESCRIPTION"]))


def test_licence_is_named_on_the_homepage(repository: Path) -> None:
    assert "Apache License" in (repository / "LICENSE.txt").read_text()[:300]
    assert "Apache-2.0" in (repository / "README.md").read_text()


def test_the_index_clones_one_commit_only(entry: dict) -> None:
    """With a revision it would clone the whole history, which is larger than it allows; the default branch is meant."""
    assert "scm_revision" not in entry


def test_the_working_tree_is_small_enough_for_the_index(repository: Path) -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=False).stdout
    paths = [repository / name for name in names.decode().split("\0") if name] or [
        path
        for folder in ("SAMLandmark", "SAMLandmarkLib", "Resources", "Testing", "docs", "benchmarks")
        for path in (repository / folder).rglob("*")
    ]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    assert size < TREE_BYTES_ALLOWED < BYTES_ALLOWED / 2
