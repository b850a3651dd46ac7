"""Which part of the library may import which: from the front ends down to the helpers, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "SAMLandmarkLib"
MODULE_FOLDER = LIBRARY.parent / "SAMLandmark"
NAME = "SAMLandmarkLib"
# From top to bottom: a package imports from its own row and from those below.
ROWS = (
    ("commands", "web", NAME),
    ("session", "scene"),
    ("study", "tracking"),
    ("reporting", "review"),
    ("worker",),
    ("engine", "registration"),
    ("matching",),
    ("embedding",),
    ("models",),
    ("io",),
    ("core",),
    ("utils",),
)
# These may import everything, and only the commands import them.
BESIDE = ("training", "evaluation")
BESIDE_USERS = ("commands", *BESIDE)
# A method that only hands over to a function may import it when it is called: `Volume.read` stands for `io`.
DELEGATIONS = {("core", "io")}
# What must not be loaded when Slicer starts. Slicer has loaded its own VTK before it loads any module.
HEAVY = (
    "torch",
    "SimpleITK",
    "scipy",
    "matplotlib",
    "pydicom",
    "highdicom",
    "nibabel",
    "trame",
    "typer",
    "rich",
)
VTK, VTK_USERS = ("vtk", "vtkmodules", "slicer"), ("scene",)


@dataclass(frozen=True)
class Import:
    """One import: in which file, of which module, and where in the file."""

    file: str
    module: str
    at_file_scope: bool
    for_types_only: bool

    @property
    def package(self) -> str:
        """The package that imports."""
        return package_of(self.file.removesuffix(".py").replace("/", "."))

    @property
    def imported_package(self) -> str:
        """The package that is imported from."""
        return package_of(self.module)


def package_of(module: str) -> str:
    """The package of a module of the library; the library itself for the files in its root.

    >>> package_of("core.volume"), package_of("cli")
    ('core', 'SAMLandmarkLib')
    """
    first = module.split(".")[0]
    return first if first and (LIBRARY / first).is_dir() else NAME


def files() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def module_of(path: Path) -> str:
    """The dotted name of a file below the library."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in files()}


class Imports(ast.NodeVisitor):
    """Collects the imports of one file, inside functions as well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.own: list[Import] = []
        self.foreign: list[Import] = []
        self._in_library = path.is_relative_to(LIBRARY)
        self._function_depth = self._typing_depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function_depth += 1
        self.generic_visit(node)
        self._function_depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        typing_only = "TYPE_CHECKING" in ast.unparse(node.test)
        self._typing_depth += typing_only
        for child in node.body:
            self.visit(child)
        self._typing_depth -= typing_only
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == NAME:
                self._add_own(alias.name.removeprefix(NAME).removeprefix("."))
            else:
                self._add(self.foreign, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level and self._in_library:
            folder = self.path.relative_to(LIBRARY).parts[:-1]
            base = ".".join(folder[: len(folder) - node.level + 1])
            self._add_names(".".join(part for part in (base, module) if part), node.names)
        elif module.split(".")[0] == NAME:
            self._add_names(module.removeprefix(NAME).removeprefix("."), node.names)
        else:
            self._add(self.foreign, module)

    def _add_names(self, module: str, names: list[ast.alias]) -> None:
        """`from package import name` may mean a module of the package, or something in its `__init__`."""
        for alias in names:
            inner = f"{module}.{alias.name}" if module else alias.name
            # the version is a constant of the library that every part may write into its results
            if inner != "__version__":
                self._add_own(inner if inner in MODULES else module)

    def _add_own(self, module: str) -> None:
        self._add(self.own, module)

    def _add(self, imports: list[Import], module: str) -> None:
        file = self.path.relative_to(LIBRARY).as_posix() if self._in_library else self.path.name
        imports.append(Import(file, module, not self._function_depth, bool(self._typing_depth)))


def imports_of(path: Path) -> Imports:
    found = Imports(path)
    found.visit(ast.parse(path.read_text(encoding="utf-8")))
    if path.is_relative_to(LIBRARY):
        found.own += lazy_exports_of(path)
    return found


def lazy_exports_of(path: Path) -> Iterator[Import]:
    """What a package's `__init__` offers under its name and imports at the first use: `_EXPORTS = {name: module}`."""
    folder = path.parent.relative_to(LIBRARY).parts
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_EXPORTS":
            for module in {value.value for value in node.value.values}:
                package = folder if not module.startswith(".") else folder[:-1]
                full = ".".join([*package, module.lstrip(".")])
                yield Import(path.relative_to(LIBRARY).as_posix(), full, False, False)


_READ = [imports_of(path) for path in files()]
ALL = [item for found in _READ for item in found.own]
FOREIGN = [item for found in _READ for item in found.foreign]


def row_of(package: str) -> int:
    return next(number for number, row in enumerate(ROWS) if package in row)


def may_import(item: Import) -> bool:
    """Whether an import goes down, stays where it is, or hands over as it may."""
    package, imported = item.package, item.imported_package
    if imported in BESIDE:
        return package in BESIDE_USERS
    if package in BESIDE or package == imported:
        return True
    if not item.at_file_scope and (package, imported) in DELEGATIONS:
        return True
    return row_of(imported) >= row_of(package)


def test_every_package_has_a_row():
    packages = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert packages <= {name for row in ROWS for name in row} | set(BESIDE)


def test_imports_go_down_only():
    wrong = {(item.file, item.module) for item in ALL if not item.for_types_only and not may_import(item)}
    assert wrong == set(), "these imports go up; see the rows of this test"


def test_no_file_imports_itself_in_a_circle():
    """Neither at file scope nor later: two files that need each other are one, or need a third."""
    graph: dict[str, set[str]] = {}
    for item in ALL:
        importing = module_of(LIBRARY / item.file)
        if not item.for_types_only and not _is_delegation(item) and item.module in MODULES:
            graph.setdefault(importing, set()).add(item.module)
    assert circles(graph) == []


def _is_delegation(item: Import) -> bool:
    return not item.at_file_scope and (item.package, item.imported_package) in DELEGATIONS


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of nodes that reach each other, each sorted.

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()})
    [['b', 'c']]
    """
    reached = {start: _reached(graph, start) for start in graph}
    found = {
        tuple(sorted(other for other in reached[start] if start in reached.get(other, ())))
        for start in graph
        if start in reached[start]
    }
    return sorted(map(list, found))


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph.get(start, ()))
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead += graph.get(node, ())
    return seen


def loaded_at_start() -> set[str]:
    """The modules of the library that the module file and its panel load in Slicer, with all that these load."""
    sources = [MODULE_FOLDER / "SAMLandmark.py", *sorted((MODULE_FOLDER / "SAMLandmarkPanel").glob("*.py"))]
    graph = {"": {item.module for path in sources for item in imports_of(path).own if item.at_file_scope}}
    for item in ALL:
        if item.at_file_scope and not item.for_types_only:
            graph.setdefault(module_of(LIBRARY / item.file), set()).add(item.module)
    for module in MODULES:
        # a package is loaded before its modules
        graph.setdefault(module, set()).update(_packages_around(module))
    return _reached(graph, "")


def _packages_around(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def test_what_slicer_starts_with_loads_nothing_heavy():
    started = loaded_at_start()
    heavy = {
        (item.file, item.module)
        for item in FOREIGN
        if module_of(LIBRARY / item.file) in started and item.at_file_scope and not item.for_types_only
        if item.module.split(".")[0] in HEAVY
        or (item.module.split(".")[0] in VTK and item.package not in VTK_USERS)
    }
    assert {"session.transfer_session", "worker.client", "embedding.cache"} <= started
    assert heavy == set()


def test_an_import_that_goes_up_is_seen():
    assert not may_import(Import("core/volume.py", "io.volume_files", True, False))
    assert may_import(Import("core/volume.py", "io.volume_files", False, False))
    assert not may_import(Import("review/state.py", "session.status", False, False))
    assert not may_import(Import("session/export.py", "evaluation.runs", False, False))


def test_relative_and_lazy_imports_are_seen():
    session = {item.module for item in ALL if item.file == "session/transfer_session.py"}
    assert {"review", "scene.layout", "worker.client", "session.context"} <= session
    assert "worker.client" in {item.module for item in ALL if item.file == "worker/__init__.py"}
