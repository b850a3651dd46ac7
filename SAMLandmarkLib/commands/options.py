"""Options that several commands share."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Profile(str, Enum):
    """How much work a match is worth."""

    ACCURATE = "accurate"
    FAST = "fast"


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
ModelOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Another model than the bundled one.", show_default=False)
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
JsonOption = Annotated[bool, typer.Option("--json", help="Write a machine-readable summary to stdout.")]
CsvFrameOption = Annotated[
    Frame | None,
    typer.Option(
        case_sensitive=False, help="Frame of a .csv file's coordinates; needed for .csv.", show_default=False
    ),
]
