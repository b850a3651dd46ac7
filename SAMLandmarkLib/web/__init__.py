"""The workflow in a browser: Slicer's own slice views and markups on a page that trame serves."""

from __future__ import annotations

from importlib.util import find_spec

from ..utils.errors import UsageError

_PACKAGES = ("slicer", "vtk", "trame", "trame_rca", "trame_vuetify")


def require_web_packages() -> None:
    """Raise UsageError where a package is missing that only the page needs."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The page needs packages that are not installed ({', '.join(missing)}); install them with: "
            "pip install 'samlandmark[web]'"
        )
