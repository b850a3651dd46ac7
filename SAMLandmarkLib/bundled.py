"""Where the files that come with SAMLandmark lie: the model and the sample pair."""

from __future__ import annotations

from pathlib import Path

from .errors import SAMLandmarkError

_PACKAGE = Path(__file__).parent
# An installed wheel carries `Resources` inside the package; in a checkout the folder lies beside it.
_RESOURCES = (_PACKAGE / "Resources", _PACKAGE.parent / "Resources")


def bundled_folder(name: str) -> Path:
    """Folder `name` of the bundled resources ("Models", "SampleData"); SAMLandmarkError where it is missing.

    >>> bundled_folder("SampleData").name
    'SampleData'
    """
    for folder in _RESOURCES:
        if (folder / name).is_dir():
            return folder / name
    searched = " or ".join(str(folder / name) for folder in _RESOURCES)
    raise SAMLandmarkError(f"The folder {searched} is missing; install SAMLandmark again, it comes with it.")
