"""Which atlas files a protocol's name stands for; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..utils.bundled import bundled_folder
from ..utils.errors import AtlasError, SAMLandmarkError
from ..utils.translation import _

SUFFIX = ".safetensors"
ProtocolChoice = str | Path | Sequence[Path] | None
"""A bundled protocol's name, an atlas file, several to choose from, or None for all bundled ones."""


def bundled_protocols() -> dict[str, Path]:
    """The atlas files that come with SAMLandmark, by the names of their protocols; none where they are missing."""
    try:
        folder = bundled_folder("Atlas")
    except SAMLandmarkError:
        return {}
    return {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def protocol_files(protocol: ProtocolChoice) -> Sequence[Path]:
    """The atlas files that a protocol may be taken from; AtlasError where there is none."""
    if isinstance(protocol, Sequence) and not isinstance(protocol, str):
        return protocol
    bundled = bundled_protocols()
    if protocol is None and bundled:
        return list(bundled.values())
    if protocol is not None and str(protocol) in bundled:
        return [bundled[str(protocol)]]
    if protocol is not None and Path(protocol).is_file():
        return [Path(protocol)]
    unknown = _("There is no protocol {name}; name an atlas file, or one of those that are bundled: {known}.")
    raise AtlasError(unknown.format(name=repr(str(protocol)), known=", ".join(bundled) or "-"))
