"""Where the files that come with SAMLandmark lie: model, sample pair, the page's style, required packages."""

from __future__ import annotations

from pathlib import Path

from .errors import SAMLandmarkError
from .translation import _

_PACKAGE = Path(__file__).parents[1]
# A wheel and the installed Slicer extension carry `Resources` inside the package; in a checkout it lies beside it.
_RESOURCES = (_PACKAGE / "Resources", _PACKAGE.parent / "Resources")


def bundled_folder(name: str) -> Path:
    """Folder `name` of the bundled resources ("Models", "SampleData"); SAMLandmarkError where it is missing.

    >>> bundled_folder("SampleData").name
    'SampleData'
    """
    for folder in _RESOURCES:
        if (folder / name).is_dir():
            return folder / name
    raise _missing(name, _("folder"))


def bundled_file(name: str) -> Path:
    """File `name` of the bundled resources, e.g. "requirements.txt"; SAMLandmarkError where it is missing."""
    for folder in _RESOURCES:
        if (folder / name).is_file():
            return folder / name
    raise _missing(name, _("file"))


def _missing(name: str, kind: str) -> SAMLandmarkError:
    searched = _(" or ").join(str(folder / name) for folder in _RESOURCES)
    missing = _("The {kind} {searched} is missing; install SAMLandmark again, it comes with it.")
    return SAMLandmarkError(missing.format(kind=kind, searched=searched))
