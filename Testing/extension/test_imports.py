"""What Slicer loads at its start imports nothing heavy and does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULE_FOLDER = REPOSITORY / "SAMLandmark"
FILES = sorted(path for path in MODULE_FOLDER.rglob("*.py") if "Testing" not in path.parts)
IDS = [path.name for path in FILES]

ALLOWED = {"slicer", "vtk", "qt", "ctk", "numpy", "SAMLandmarkLib", "SAMLandmarkPanel"}
# Must not be needed to load the module; they may be absent, and take seconds to load.
HEAVY = {"torch", "SimpleITK", "scipy", "matplotlib", "typer", "rich", "pandas", "pydicom", "jinja2"}
# The one call at file scope: it makes the library importable from a checkout.
ALLOWED_CALLS = {"makeLibraryImportable"}

BLOCK_AND_IMPORT = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy}:
            raise ImportError(f"{{name}} was imported")

sys.meta_path.insert(0, Blocker())
for name in {names}:
    module = importlib.import_module(name)
    for member in getattr(module, "__all__", ()):
        getattr(module, member)
"""


def _executed_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a file is imported, with those inside classes, `if` and `try`."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _executed_at_import(getattr(statement, field, []))
            for handler in getattr(statement, "handlers", []):
                yield from _executed_at_import(handler.body)


def _imported(source: str) -> set[str]:
    """The full names of the modules that a file imports at file scope, without relative imports."""
    names = set()
    for statement in _executed_at_import(ast.parse(source).body):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
            names.add(statement.module)
    return names


def _work(source: str) -> list[str]:
    """The calls and loops that a file runs at file scope."""
    tree = ast.parse(source)
    loops = [node for node in tree.body if isinstance(node, ast.For | ast.While | ast.With)]
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    calls = [node for node in calls if ast.unparse(node.value.func) not in ALLOWED_CALLS]
    return [ast.unparse(node) for node in (*loops, *calls)]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_file_scope_imports_only_what_slicer_always_has(path: Path) -> None:
    packages = {name.split(".")[0] for name in _imported(path.read_text())}
    assert packages - ALLOWED - sys.stdlib_module_names == set()


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_file_scope_does_no_work(path: Path) -> None:
    assert _work(path.read_text()) == []


def test_what_is_forbidden_at_file_scope_is_found() -> None:
    source = "try:\n    import torch\nexcept ImportError:\n    pass\nclass A:\n    import scipy.ndimage\ndef f():\n    import rich"
    assert _imported(source) == {"torch", "scipy.ndimage"}
    assert _imported("from __future__ import annotations\nif TYPE_CHECKING:\n    import torch") == {
        "__future__"
    }
    assert _work("install('torch')\nfor x in y:\n    pass\nmakeLibraryImportable()") == [
        "for x in y:\n    pass",
        "install('torch')",
    ]


def test_library_modules_that_slicer_loads_need_nothing_heavy(tmp_path: Path) -> None:
    """They are really imported, with all they export, in a Python where the heavy packages can't be imported."""
    names = {
        name for path in FILES for name in _imported(path.read_text()) if name.startswith("SAMLandmarkLib")
    }
    names |= {f"SAMLandmarkLib.{name}" for name in ("utils.bundled", "review", "scene", "session", "worker")}
    names.add("SAMLandmarkLib.embedding.cache")
    _require_importable(sorted(names), tmp_path)


def test_an_import_of_something_heavy_would_be_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="torch.* was imported"):
        _require_importable(["SAMLandmarkLib.engine.transfer"], tmp_path)


def _require_importable(names: list[str], folder: Path) -> None:
    code = BLOCK_AND_IMPORT.format(heavy=HEAVY, names=names)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
