"""What `samlandmark serve` was asked for, checked before anything is started."""

from __future__ import annotations

import socket
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from ..core.landmarks import LandmarkSet
from ..core.modality import MODALITIES
from ..core.volume import Volume
from ..io.target_names import distinct_names
from ..io.volume_paths import volume_name
from ..study.protocol import StudyProtocol
from ..utils.errors import LandmarkError, UsageError, VolumeWarning
from ..worker import WorkerSettings
from .study_dates import date_of_folder
from .uploaded_scan import ReceivedScan

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORTEST_TOKEN = 8
MEBIBYTE = 2**20


@dataclass(frozen=True)
class ServeRequest:
    """Scans, landmarks and address; scans may be opened on the page instead. `names` are those of the scans, if given.

    `protocol` is the one whose named landmarks are found instead of a template's: a bundled one's name, "auto" or a file.
    """

    template: Path | None = None
    landmarks: Path | None = None
    follow_ups: tuple[Path, ...] = ()
    csv_frame: str | None = None
    host: str = LOOPBACK[0]
    port: int = 8765
    token: str | None = None
    max_upload_bytes: int = 2048 * MEBIBYTE
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    names: tuple[str, ...] = ()
    protocol: str = ""


@dataclass(frozen=True)
class OpenedScans:
    """The scans of a request, read; `landmarks` belong to the template."""

    template: ReceivedScan | None
    landmarks: LandmarkSet | None
    follow_ups: tuple[ReceivedScan, ...]


def check_address(request: ServeRequest) -> None:
    """Raise UsageError where the page must not or can't be served at the address."""
    if request.token is not None and len(request.token) < SHORTEST_TOKEN:
        raise UsageError(
            f"The token has fewer than {SHORTEST_TOKEN} signs; take a longer one that nobody guesses."
        )
    if request.host not in LOOPBACK and request.token is None:
        raise UsageError(
            f"On {request.host} other computers can reach the page: give a --token that its users must know, or leave "
            "--host away to serve this computer alone."
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            request.host, request.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(
            f"Port {request.port} of {request.host} can't be used ({error.strerror}); another program may have it, so "
            "give another --port, or --port 0 for any free one."
        ) from error


def open_scans(request: ServeRequest) -> OpenedScans:
    """Read the scans and landmarks of a request; SAMLandmarkError where one can't be used."""
    if request.protocol:
        _check_protocol(request)
    if request.template is None and request.landmarks is not None:
        raise UsageError("--landmarks belong to a template; give --template as well.")
    landmarks = None
    if request.landmarks is not None:
        landmarks = LandmarkSet.read(request.landmarks, request.csv_frame)
    given = [path for path in (request.template, *request.follow_ups) if path is not None]
    names = list(request.names) or _names(request)
    scans = [_open(path, name, request.worker) for path, name in zip(given, names, strict=True)]
    template = scans.pop(0) if request.template is not None else None
    if template is not None and landmarks is not None:
        _check_landmarks(template.volume, landmarks, request.landmarks)
    return OpenedScans(template, landmarks, tuple(scans))


def _check_protocol(request: ServeRequest) -> None:
    if request.template is not None or request.landmarks is not None:
        raise UsageError("Give --protocol, or --template and --landmarks: a protocol needs no template.")
    StudyProtocol.named(request.protocol, request.worker)


def _names(request: ServeRequest) -> list[str]:
    """The names that `samlandmark transfer` gives the same files."""
    follow_ups = distinct_names(request.follow_ups)
    return follow_ups if request.template is None else [volume_name(request.template.resolve()), *follow_ups]


def _open(path: Path, name: str, settings: WorkerSettings) -> ReceivedScan:
    modality = MODALITIES.get(settings.modality or "")
    volume = Volume.read(path, modality=modality, pixel_spacing_mm=settings.pixel_spacing_mm)
    volume.name = name
    return ReceivedScan(volume, date_of_folder(path) if path.is_dir() else None)


def _check_landmarks(template: Volume, landmarks: LandmarkSet, path: Path) -> None:
    defined = [mark for mark in landmarks if mark.position_lps is not None]
    outside = [mark.label for mark in defined if not template.contains_lps(mark.position_lps)]
    if len(outside) == len(defined):
        raise LandmarkError(
            f"{path}: none of its {len(landmarks)} landmarks lies inside the template {template.name}; do they belong to "
            "this scan, and is their frame (LPS or RAS) right?"
        )
    if outside:
        text = f"outside the template {template.name}: {', '.join(outside)}"
        warnings.warn(text, VolumeWarning, stacklevel=2)
