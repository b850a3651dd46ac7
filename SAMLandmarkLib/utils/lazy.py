"""Names that a package loads when they are used first (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_exports(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package for names by the module of the package that has them.

    >>> lazy_exports("SAMLandmarkLib", {"LandmarkSet": "core.landmarks"})("LandmarkSet").__name__
    'LandmarkSet'
    """

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{modules[name]}", package), name)

    return load
