"""What the program and its worker tell each other: plain data, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.results import TransferredLandmark


@dataclass(frozen=True, eq=False)
class ScanData:
    """A scan: HU `array [z, y, x]`, its 4x4 map `ijk_to_lps` in mm, a `key` to speak of it and a `name` for people.

    `source` is the path it came from, for the provenance, `modality` the name of its modality, where that is known.
    """

    key: str
    name: str
    array: np.ndarray
    ijk_to_lps: np.ndarray
    source: str | None = None
    modality: str = ""


@dataclass(frozen=True, eq=False)
class WorkerTransferRequest:
    """Points `(n, 3)` LPS mm of a template that are to be found in a target.

    Scans go by the keys of their ScanData. `extra_templates` are further scans in which the same labels are known:
    (key, labels, points `(m, 3)`), for example points that a user has corrected.
    """

    template_key: str
    labels: Sequence[str]
    points_lps: np.ndarray
    target_key: str
    extra_templates: Sequence[tuple[str, Sequence[str], np.ndarray]] = ()

    @property
    def scan_keys(self) -> tuple[str, ...]:
        """The keys of all scans that take part, each once, the template first."""
        keys = (self.template_key, self.target_key, *(key for key, _, _ in self.extra_templates))
        return tuple(dict.fromkeys(keys))


@dataclass(frozen=True)
class WorkerLocateRequest:
    """The landmarks of a protocol that are to be found in a target, without a template.

    `protocol` is the name of a bundled one or an atlas file; None lets the bundled one be chosen that fits the target.
    """

    target_key: str
    protocol: str | None = None

    template_key: ClassVar[str] = ""
    labels: ClassVar[Sequence[str]] = ()
    """None: the protocol tells them with its answer."""

    @property
    def scan_keys(self) -> tuple[str, ...]:
        """The keys of all scans that take part."""
        return (self.target_key,)


WorkerRequest = WorkerTransferRequest | WorkerLocateRequest
"""What asks for landmarks of a target."""


@dataclass(frozen=True)
class TransferReply:
    """The landmarks of one target in the order of the request or the protocol, LPS mm.

    `notes` lists fallbacks and warnings, `remarks` what is to be said about this target: which protocol was chosen for it,
    and that it does not show what the protocol is of. `template_key` is empty where a protocol was asked for.
    """

    template_key: str
    target_key: str
    answers: tuple[TransferredLandmark, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class EmbedReply:
    """A scan is embedded: how long it took, how many 2 mm voxels the network saw, and what looked wrong.

    `notes` lists fallbacks and warnings, such as a GPU whose memory was too small.
    """

    key: str
    seconds: float
    voxels_2mm: int
    from_cache: bool
    device: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class HeatMapReply:
    """Similarity (mean cosine) `array [z, y, x]` float32 of one template point on a grid over the target."""

    template_key: str
    target_key: str
    array: np.ndarray
    ijk_to_lps: np.ndarray


@dataclass(frozen=True)
class WorkerFailure:
    """Why a request has no answer: a `kind` for programs (see failures.py), one sentence for people, log lines."""

    kind: str
    message: str
    details: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.message
