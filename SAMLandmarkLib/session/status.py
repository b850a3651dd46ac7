"""What a session tells those who show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..translation import _


class Change(str, Enum):
    """What changed in a session."""

    SCANS = "scans"
    REVIEW = "review"
    STATUS = "status"
    SELECTION = "selection"
    MESSAGE = "message"


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
        """Scan and step in words, "" when idle."""
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
    }
    return words.get(step, step)


@dataclass(frozen=True)
class ScanColumn:
    """A follow-up as a column of the review table.

    `date` is the study's, like "2024-05-31", or None; `message` tells why this scan can't be used, "" where it can.
    """

    key: str
    name: str
    date: str | None
    volume_node: object
    markups_node: object | None
    message: str = ""

    @property
    def title(self) -> str:
        """The date where it is known, else the name."""
        return self.date or self.name
