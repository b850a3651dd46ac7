"""The kinds of change, the status and the table columns that a session gives to user interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..scene.mrml import MarkupsNode, VolumeNode
from ..utils.translation import _


class Change(str, Enum):
    """What changed in a session; OPENED: the session itself has chosen scans, which front ends are to show as chosen."""

    SCANS = "scans"
    REVIEW = "review"
    STATUS = "status"
    SELECTION = "selection"
    MESSAGE = "message"
    EXPORT = "export"
    BATCH = "batch"
    LESIONS = "lesions"
    REGISTRATION = "registration"
    VIEWS = "views"
    OPENED = "opened"


class Activity(str, Enum):
    """What a session is working on."""

    IDLE = "idle"
    EMBEDDING = "embedding"
    TRANSFERRING = "transferring"
    HEAT_MAP = "heat map"


@dataclass(frozen=True)
class SessionStatus:
    """What runs now: the scan's name, the step, and the fraction (0 to 1) of the whole work that is done.

    >>> SessionStatus(Activity.EMBEDDING, "May 2024", "coarse embedding", 0.5).text
    'May 2024: recognizing the anatomy, overview'
    """

    activity: Activity = Activity.IDLE
    scan: str = ""
    step: str = ""
    fraction: float = 0.0

    @property
    def text(self) -> str:
        """SessionScan and step in words, "" when idle."""
        return ": ".join(part for part in (self.scan, step_in_words(self.step)) if part)


def step_in_words(step: str) -> str:
    """What a step of the worker means to its user; a step that isn't known as it is."""
    words = {
        "waiting": _("waiting"),
        "loading the model": _("starting the engine"),
        "reading": _("reading the scan"),
        "resampling": _("preparing the scan"),
        "coarse embedding": _("recognizing the anatomy, overview"),
        "fine embedding": _("recognizing the anatomy, details"),
        "matching": _("finding the points"),
        "affine map": _("affine map"),
        "smooth map": _("smooth map"),
        "dense map": _("dense map"),
        "inverse": _("inverse map"),
        "registered volume": _("resampling"),
    }
    return words.get(step, step)


@dataclass(frozen=True)
class ExportEnd:
    """How an export ended: its files, or in a sentence why it could not be written."""

    files: tuple[Path, ...]
    problem: str = ""


@dataclass(frozen=True)
class ScanColumn:
    """A follow-up as a column of the review table.

    `date` is the study's, like "2024-05-31", or None; `title` is short and differs from those of the other columns;
    `message` tells why this scan can't be used, "" where it can.
    """

    key: str
    name: str
    date: str | None
    volume_node: VolumeNode
    markups_node: MarkupsNode | None
    title: str
    message: str = ""
