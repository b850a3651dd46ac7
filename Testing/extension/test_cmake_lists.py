"""What the CMake files list is what lies in the folders: Slicer silently leaves out a file that is not listed.

A failing test prints the lines to paste into the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

MODULE = ("SAMLandmark/CMakeLists.txt", "SAMLandmark")
LIBRARY = ("SAMLandmarkLib/CMakeLists.txt", "SAMLandmarkLib")
# What Slicer does not need: a third of the library. Only commands import them, and say so where they are missing.
LEFT_OUT = ("evaluation/", "training/", "web/")


def _listed(cmake_file: Path, name: str) -> list[str]:
    """The items of `set(<name> …)`."""
    text = re.sub(r"#.*", "", cmake_file.read_text())
    sets = dict(re.findall(r"set\((\w+)\s+([^)]*)\)", text))
    items = sets[name].split()
    return [item.replace("${MODULE_NAME}", sets.get("MODULE_NAME", "").strip()) for item in items]


def _files(folder: Path, pattern: str, without: str = "Testing") -> list[str]:
    """The files below `folder`, relative to it, leaving out what belongs to no installation."""
    found = (path.relative_to(folder) for path in folder.rglob(pattern) if path.is_file())
    return sorted(path.as_posix() for path in found if not {without, "__pycache__"} & set(path.parts))


def _require_same(listed: Iterable[str], present: Iterable[str], where: str) -> None:
    listed, present = list(listed), set(present)
    assert len(listed) == len(set(listed)), f"{where} lists a file twice."
    if missing := sorted(present - set(listed)):
        pytest.fail("\n  ".join([f"Add to {where}:", *missing]))
    if surplus := sorted(set(listed) - present):
        pytest.fail("\n  ".join([f"Remove from {where}, there is no such file:", *surplus]))


@pytest.mark.parametrize(
    ("cmake_file", "folder", "name"),
    [(*MODULE, "MODULE_PYTHON_SCRIPTS"), (*LIBRARY, "LIBRARY_PYTHON_SCRIPTS")],
)
def test_every_python_file_is_listed(cmake_file: str, folder: str, name: str, repository: Path) -> None:
    present = [file for file in _files(repository / folder, "*.py") if not file.startswith(LEFT_OUT)]
    _require_same(_listed(repository / cmake_file, name), present, f"{name} in {cmake_file}")


def test_every_resource_of_the_module_is_listed(repository: Path) -> None:
    present = [f"Resources/{name}" for name in _files(repository / "SAMLandmark" / "Resources", "*")]
    where = "MODULE_PYTHON_RESOURCES in SAMLandmark/CMakeLists.txt"
    _require_same(_listed(repository / MODULE[0], "MODULE_PYTHON_RESOURCES"), present, where)


def test_every_resource_of_the_library_is_listed(repository: Path) -> None:
    """Pictures for the documentation and the web page's files stay out of the installation."""
    resources = [
        name
        for name in _files(repository / "Resources", "*", without="Screenshots")
        if not name.startswith("Web/")
    ]
    where = "LIBRARY_RESOURCES in SAMLandmarkLib/CMakeLists.txt"
    _require_same(
        _listed(repository / LIBRARY[0], "LIBRARY_RESOURCES"),
        [f"Resources/{name}" for name in resources],
        where,
    )


def test_every_other_file_of_the_library_is_a_listed_template(repository: Path) -> None:
    """Beside Python files only those of the list are shipped, so the library must not rely on others."""
    others = {
        name for name in _files(repository / "SAMLandmarkLib", "*") if not name.endswith((".py", ".pyc"))
    }
    where = "LIBRARY_TEMPLATES in SAMLandmarkLib/CMakeLists.txt"
    listed = _listed(repository / LIBRARY[0], "LIBRARY_TEMPLATES")
    _require_same(listed, others - {"CMakeLists.txt"}, where)
    assert all(name.startswith("reporting/templates/") for name in listed)


def test_both_folders_are_part_of_the_extension(repository: Path) -> None:
    added = re.findall(r"add_subdirectory\((\w+)\)", (repository / "CMakeLists.txt").read_text())
    assert added == ["SAMLandmarkLib", "SAMLandmark"]


def test_self_tests_are_declared(repository: Path) -> None:
    declared = re.findall(
        r"slicer_add_python_unittest\(SCRIPT (\S+)\)",
        (repository / "SAMLandmark" / "Testing" / "Python" / "CMakeLists.txt").read_text(),
    )
    present = [path.name for path in (repository / "SAMLandmark" / "Testing" / "Python").glob("*Test.py")]
    assert sorted(declared) == sorted(present) != []
    assert "WITH_GENERIC_TESTS" in (repository / MODULE[0]).read_text()


def test_a_missing_line_is_printed_ready_to_paste() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"Add to the list:\n  b/c\.py\n  d\.py"):
        _require_same(["a.py"], ["a.py", "d.py", "b/c.py"], "the list")
    with pytest.raises(pytest.fail.Exception, match=r"Remove from the list, there is no such file:\n  a\.py"):
        _require_same(["a.py"], [], "the list")
