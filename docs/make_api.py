"""Writes the API pages from the docstrings: python docs/make_api.py FOLDER."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pdoc
import pdoc.render

import SAMLandmarkLib

# Front ends are described by their guides, and programs are no interface.
LEFT_OUT = ("commands", "web", "cli", "__main__", "evaluation.benchmark")


def modules_to_describe() -> list[str]:
    """The library's modules, without those that are left out."""
    root = SAMLandmarkLib.__name__
    hidden = tuple(f"{root}.{name}" for name in LEFT_OUT)
    found = (module.name for module in pkgutil.walk_packages(SAMLandmarkLib.__path__, f"{root}."))
    return [root, *(name for name in found if not name.startswith(hidden))]


def load_lazy_names(module: ModuleType) -> None:
    """Put what a package loads on first use into it, since pdoc looks into the package itself."""
    for name in getattr(module, "__all__", ()):
        setattr(module, name, getattr(module, name))


def main(folder: Path) -> None:
    """Write the pages into a folder."""
    modules = modules_to_describe()
    for name in modules:
        load_lazy_names(import_module(name))
    pdoc.render.configure(docformat="markdown", show_source=False)
    # Packages without __all__ bring their modules along, which is no mistake.
    warnings.filterwarnings("ignore", message="The module specification", category=UserWarning)
    left_out = (f"!{SAMLandmarkLib.__name__}.{name}" for name in LEFT_OUT)
    pdoc.pdoc(*modules, *left_out, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
