"""Options that several commands share."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..utils.errors import UsageError

DEFAULT_CACHE_LIMIT = "10G"
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Profile(str, Enum):
    """How much work a match is worth."""

    ACCURATE = "accurate"
    FAST = "fast"


class Precision(str, Enum):
    """What the network computes in."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


class Frame(str, Enum):
    """The frame of the coordinates in a csv file."""

    LPS = "LPS"
    RAS = "RAS"


def parse_memory(text: str) -> int:
    """Bytes of a size such as "2G", "1500M" or "800MiB".

    >>> parse_memory("2G")
    2147483648
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise typer.BadParameter(f"'{text}' is not a size of memory; write it like 2G or 1500M.")
    return size


def known_formats(names: list[str] | None) -> list[str]:
    """The formats that are asked for."""
    from ..io.writers.registry import writers_of

    try:
        return [writer.name for writer in writers_of([name.lower() for name in names or ()])]
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error


def _formats_or_usual(names: list[str] | None) -> list[str]:
    """The formats that are asked for, by default all that need no more than a result."""
    from ..io.writers.registry import DEFAULT_FORMATS

    return known_formats(names or list(DEFAULT_FORMATS))


def _known_modality(name: str | None) -> str | None:
    """A modality for which a model is bundled."""
    from ..models.registry import REGISTRY

    if name is not None and name not in REGISTRY.modalities:
        known = ", ".join(REGISTRY.modalities)
        raise typer.BadParameter(f"'{name}' is no modality that there is a model for; choose one of {known}.")
    return name


OutputOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Folder for the results; made where it is missing."),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        case_sensitive=False,
        help="Arithmetic of the network; auto takes bf16 (bfloat16) where the hardware multiplies it, else fp32.",
    ),
]
ModelOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Another model than the bundled one.", show_default=False)
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-model",
        help="Load a TorchScript --model that did not come with SAMLandmark; it may run any code.",
    ),
]
ProfileOption = Annotated[
    Profile, typer.Option(case_sensitive=False, help="fast leaves out the refinement by the images.")
]
MemoryOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_memory,
        metavar="SIZE",
        help="Limit for an embedding's memory, such as 2G.",
        show_default=False,
    ),
]
PixelSpacingOption = Annotated[
    float | None,
    typer.Option(
        "--pixel-spacing",
        min=0.01,
        max=10,
        metavar="MM",
        help="Side of a pixel of radiographs, for files that don't tell it (PNG, JPEG, TIFF).",
        show_default=False,
    ),
]
ModalityOption = Annotated[
    str | None,
    typer.Option(
        callback=_known_modality,
        metavar="NAME",
        help="What the scans are: ct, radiograph or mr-brain; by default their files tell it.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write a machine-readable summary to stdout.")]
CsvFrameOption = Annotated[
    Frame | None,
    typer.Option(
        case_sensitive=False, help="Frame of a .csv file's coordinates; needed for .csv.", show_default=False
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of embeddings that are kept; by default the user's cache.",
        show_default=False,
    ),
]
CacheLimitOption = Annotated[
    int,
    typer.Option(parser=parse_memory, metavar="SIZE", help="What they may take on the disk, such as 10G."),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Keep no embeddings.")]
RunCacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Folder of embeddings that are kept; by default none are kept after the run.",
        show_default=False,
    ),
]
FormatsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAME",
        callback=_formats_or_usual,
        help="What to write, such as dicom-sr; may be given several times, and a wrong name lists all. [default: markups "
        "csv json]",
        show_default=False,
    ),
]
