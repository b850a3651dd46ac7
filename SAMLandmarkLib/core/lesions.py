"""Lesions over time: what a reader marks, what is proposed, and the tracks that hold both together.

Places are LPS mm in the own frame of each scan.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from ..utils.errors import LesionError
from ..utils.translation import _
from .geometry import transform_points
from .results import Point

LARGEST_MM = 1000.0
"""No lesion of a person is longer."""


class LesionStatus(str, Enum):
    """What became of a lesion at one date."""

    PRESENT = "PRESENT"
    TOO_SMALL = "TOO_SMALL"
    DISAPPEARED = "DISAPPEARED"
    NEW = "NEW"
    MERGED = "MERGED"
    SPLIT = "SPLIT"
    OUT_OF_VIEW = "OUT_OF_VIEW"
    UNCERTAIN = "UNCERTAIN"


class Role(str, Enum):
    """What a lesion counts for in RECIST 1.1."""

    TARGET = "TARGET"
    NON_TARGET = "NON_TARGET"
    NEW = "NEW"


class Source(str, Enum):
    """Where a place or a length comes from: a reader, the image, the map from the scan before, or what is there if one."""

    HAND = "HAND"
    IMAGE = "IMAGE"
    CARRIED = "CARRIED"


@dataclass(frozen=True)
class Diameter:
    """A line across a lesion between two points (LPS mm). Raises LesionError where it has no length."""

    ends_lps: tuple[Point, Point]
    source: Source = Source.HAND

    def __post_init__(self) -> None:
        ends = np.array(self.ends_lps, dtype=float)
        if ends.shape != (2, 3) or not np.isfinite(ends).all():
            raise LesionError(
                _("A diameter is two points of three finite numbers, not {given}.").format(
                    given=str(self.ends_lps)
                )
            )
        if not 0 < np.linalg.norm(ends[1] - ends[0]) <= LARGEST_MM:
            told = _("A diameter is {length} mm long; it must have a length, of at most {most} mm.")
            length = f"{np.linalg.norm(ends[1] - ends[0]):.1f}"
            raise LesionError(told.format(length=length, most=f"{LARGEST_MM:g}"))

    @classmethod
    def between(cls, ends_lps: np.ndarray, source: Source = Source.HAND) -> Diameter:
        """The diameter between the rows of `(2, 3)`, LPS mm."""
        return cls((plain_point(ends_lps[0]), plain_point(ends_lps[1])), source)

    @property
    def ends(self) -> np.ndarray:
        """Both ends, `(2, 3)` LPS mm."""
        return np.array(self.ends_lps, dtype=float)

    @property
    def length_mm(self) -> float:
        """How long it is."""
        return math.dist(*self.ends_lps)

    @property
    def middle_lps(self) -> np.ndarray:
        """The point `(3,)` between both ends."""
        middle: np.ndarray = self.ends.mean(axis=0)
        return middle


@dataclass(frozen=True)
class Finding:
    """A lesion at one date: where it is, how long, and how sure that is.

    `long` and `short` are the longest diameter and the longest one perpendicular to it, None where nobody and nothing
    measured them; `carried_long` and `carried_short` are what the map from the scan before makes of them, kept beside
    what the image says. `confidence` is the probability that this is the lesion, from 0 to 1; `merged_into` and
    `split_from` name other lesions; `note` tells why something is not as it should be; `progression` is a reader's word
    that a lesion that is no target has unequivocally grown.
    """

    status: LesionStatus
    position_lps: Point | None = None
    long: Diameter | None = None
    short: Diameter | None = None
    carried_long: Diameter | None = None
    carried_short: Diameter | None = None
    volume_mm3: float | None = None
    confidence: float = 1.0
    source: Source = Source.HAND
    merged_into: str = ""
    split_from: str = ""
    note: str = ""
    progression: bool = False

    @property
    def is_seen(self) -> bool:
        """Whether the lesion itself has a place here."""
        gone = (LesionStatus.DISAPPEARED, LesionStatus.OUT_OF_VIEW, LesionStatus.MERGED)
        return self.position_lps is not None and self.status not in gone

    @property
    def position(self) -> np.ndarray:
        """Its place `(3,)` LPS mm. Raises LesionError where it has none."""
        if self.position_lps is None:
            raise LesionError(_("A lesion that is {status} has no place.").format(status=self.status.value))
        return np.array(self.position_lps, dtype=float)

    @property
    def size_mm(self) -> float | None:
        """Its longest diameter, None where it is not measured."""
        return None if self.long is None else self.long.length_mm

    @property
    def by_hand(self) -> bool:
        """Whether a reader drew what is measured; without a measure, whether a reader placed it."""
        return (self.source if self.long is None else self.long.source) is Source.HAND

    def changed(self, **changes: object) -> Finding:
        """The same with other values of some fields."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def mapped(self, matrix: np.ndarray) -> Finding:
        """The same in another frame, to which `matrix` (4x4, LPS mm) takes points."""
        place = self.position_lps
        return self.changed(
            position_lps=None if place is None else plain_point(transform_points(matrix, np.array(place))),
            long=_mapped(self.long, matrix),
            short=_mapped(self.short, matrix),
            carried_long=_mapped(self.carried_long, matrix),
            carried_short=_mapped(self.carried_short, matrix),
        )


@dataclass(frozen=True)
class Lesion:
    """Who a lesion is: its name within the patient, and what it counts for.

    `uid` is its DICOM tracking UID, the same at every date; empty until somebody gives it one.
    """

    name: str
    role: Role = Role.TARGET
    is_node: bool = False
    site: str = ""
    organ: str = ""
    uid: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise LesionError(_("A lesion has no name; give every one its own, such as T1."))


@dataclass(frozen=True)
class Visit:
    """A date with a scan; `date` is ISO 8601, empty where unknown. `slice_mm` is how thick its slices are."""

    name: str
    date: str = ""
    slice_mm: float | None = None

    @property
    def title(self) -> str:
        """The date, the name where there is none."""
        return self.date or self.name


@dataclass(frozen=True)
class Track:
    """A lesion and its findings by the number of the visit; a visit that is missing here was not looked at."""

    lesion: Lesion
    findings: Mapping[int, Finding] = field(default_factory=dict)

    def at(self, visit: int) -> Finding | None:
        """The finding of a visit, None where the lesion was not looked for."""
        return self.findings.get(visit)

    def with_finding(self, visit: int, finding: Finding) -> Track:
        """The track with this finding of a visit in the place of any other."""
        return replace(self, findings=dict(sorted({**self.findings, visit: finding}.items())))


@dataclass(frozen=True)
class LesionHistory:
    """All lesions of a patient over all dates; `visits` in the order of time, the baseline first.

    `notes` tell what is odd but stops nothing. Raises LesionError where a name occurs twice, or a finding has no visit.
    """

    patient: str
    visits: tuple[Visit, ...]
    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_different([track.lesion.name for track in self.tracks], self.patient)
        for track in self.tracks:
            for visit in track.findings:
                if not 0 <= visit < len(self.visits):
                    told = _("{lesion} has a finding of visit {visit}, but there are {count}.")
                    values = {"visit": visit + 1, "count": len(self.visits)}
                    raise LesionError(told.format(lesion=track.lesion.name, **values))

    def __iter__(self) -> Iterator[Track]:
        return iter(self.tracks)

    def track(self, name: str) -> Track:
        """The track of a lesion. Raises LesionError where there is none of this name."""
        for track in self.tracks:
            if track.lesion.name == name:
                return track
        known = ", ".join(track.lesion.name for track in self.tracks) or _("none")
        raise LesionError(
            _("There is no lesion {name!r}; there are: {known}.").format(name=name, known=known)
        )

    def of_role(self, role: Role) -> tuple[Track, ...]:
        """The tracks of the lesions with a role."""
        return tuple(track for track in self.tracks if track.lesion.role is role)

    def with_track(self, track: Track) -> LesionHistory:
        """The history in which a track stands in the place of that of its name."""
        tracks = tuple(track if item.lesion.name == track.lesion.name else item for item in self.tracks)
        return replace(self, tracks=tracks)

    def mapped(self, matrices: Sequence[np.ndarray]) -> LesionHistory:
        """The history with the findings of each visit in another frame; `matrices` are 4x4, LPS mm, one a visit."""
        tracks = (
            replace(track, findings={n: item.mapped(matrices[n]) for n, item in track.findings.items()})
            for track in self.tracks
        )
        return replace(self, tracks=tuple(tracks))


@dataclass(frozen=True)
class Mark:
    """A lesion as a file tells it at one date, before anybody knows whether it is one of an earlier date."""

    lesion: Lesion
    finding: Finding


def require_different(names: Sequence[str], origin: str) -> None:
    """Raise LesionError where two lesions of one list have the same name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        told = _("{origin}: more than one lesion is called {names}; give every one its own name.")
        raise LesionError(told.format(origin=origin, names=", ".join(map(repr, twice))))


def plain_point(position_lps: np.ndarray) -> Point:
    """A point as three plain numbers."""
    x, y, z = (float(value) for value in position_lps)
    return x, y, z


def _mapped(diameter: Diameter | None, matrix: np.ndarray) -> Diameter | None:
    if diameter is None:
        return None
    return Diameter.between(transform_points(matrix, diameter.ends), diameter.source)
