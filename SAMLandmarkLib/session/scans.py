"""The scans of a session and their embedding by the worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..core.geometry import transform_points
from ..review import Point
from ..scene.modality import kind_name
from ..scene.mrml import VolumeNode
from ..scene.studies import study_date
from ..scene.volumes import (
    KEY_ATTRIBUTE,
    ContentMark,
    content_mark,
    scan_key,
    source_path,
    upright_from_own,
    volume_arrays,
)
from ..utils.errors import SAMLandmarkError
from ..worker.client import WorkerClient
from ..worker.messages import EmbedReply, ScanData, WorkerFailure
from .estimate import TimeEstimate, million_voxels_2mm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Not the scan's fault and not worth a message: the user or the session itself stopped it.
SILENT_KINDS = ("cancelled", "forgotten")
# Not the scan's fault either, but the user must know: the worker itself has a problem.
WORKER_KINDS = ("crash", "disk", "installation", "memory", "model", "start")


@dataclass(eq=False)
class SessionScan:
    """A volume of the scene and how far its embedding is: `fraction` 0 to 1, `failure` a sentence or "".

    `named` is the name under which user interfaces know it.
    """

    key: str
    node: VolumeNode
    date: str | None
    fraction: float = 0.0
    step: str = ""
    embedding: bool = False
    failure: str = ""
    named: str = ""
    sent_mark: ContentMark | None = None
    upright_from_own: np.ndarray = field(default_factory=lambda: np.eye(4))

    @classmethod
    def of(cls, node: VolumeNode) -> SessionScan:
        """The scan of a volume node, not embedded yet."""
        return cls(scan_key(node), node, study_date(node), named=node.GetName())

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.GetName()

    def keep_key(self) -> None:
        """Let the node have the key by which the review knows it."""
        if self.node.GetAttribute(KEY_ATTRIBUTE) != self.key:
            self.node.SetAttribute(KEY_ATTRIBUTE, self.key)

    def take_name(self) -> bool:
        """Take name and date from the node; whether one of them is another than before."""
        before, now = (self.named, self.date), (self.name, study_date(self.node))
        self.named, self.date = now
        return before != now

    @property
    def ready(self) -> bool:
        """Whether the worker has the embedding of the volume as it is now."""
        return self.fraction >= 1 and self.sent_mark == content_mark(self.node)

    def to_worker(self, points_lps: ArrayLike) -> np.ndarray:
        """Points `(n, 3)` LPS mm of the volume's own frame as the worker counts them."""
        return transform_points(self.upright_from_own, np.asarray(points_lps, dtype=float).reshape(-1, 3))

    def from_worker(self, point_lps: Point) -> Point:
        """A point of the worker, LPS mm, in the volume's own frame."""
        x, y, z = transform_points(np.linalg.inv(self.upright_from_own), np.array(point_lps)).tolist()
        return x, y, z

    def set_ready(self) -> None:
        """The worker has used the scan's embedding, so it has it."""
        self.fraction, self.embedding, self.failure = 1.0, False, ""

    def reset(self) -> None:
        """The worker doesn't know the scan, or doesn't go on with it."""
        self.fraction, self.step, self.embedding, self.sent_mark = 0.0, "", False, None

    @property
    def million_voxels_left(self) -> float:
        """Size of what is still to be embedded, on the 2 mm grid; 0 where the volume can't be used."""
        if self.ready:
            return 0.0
        try:
            array, ijk_to_lps = volume_arrays(self.node)
            done = self.fraction if self.embedding else 0.0
            return million_voxels_2mm(array.shape, ijk_to_lps) * (1 - done)
        except SAMLandmarkError:
            return 0.0


def scan_titles(scans: Sequence[SessionScan]) -> list[str]:
    """The study dates, with the name where a date is unknown or occurs twice."""
    dates = Counter(scan.date for scan in scans)
    return [_title(scan, dates[scan.date] > 1) for scan in scans]


def _title(scan: SessionScan, ambiguous: bool) -> str:
    if scan.date is None:
        return scan.name
    return f"{scan.date} {scan.name}" if ambiguous else scan.date


class Embeddings:
    """Has scans embedded by the worker, each once as long as its voxels stay the same.

    `on_change(scan)` is called whenever a scan goes on, is ready or fails; `on_note(text)` for what the user should
    know of it. `problem_of(scan)` tells in a sentence why a scan need not even be tried, "" where it may be.
    """

    def __init__(
        self,
        worker: WorkerClient,
        estimate: TimeEstimate,
        on_change: Callable[[SessionScan], None],
        on_note: Callable[[str], None],
        problem_of: Callable[[SessionScan], str],
    ) -> None:
        self.worker = worker
        self._estimate = estimate
        self._problem_of = problem_of
        self._on_change = on_change
        self._on_note = on_note

    def require(self, scan: SessionScan, again: bool = False) -> bool:
        """See to it that the worker knows the scan as it is now; False where the scan can't be used.

        A scan that failed is only tried again when its voxels changed, or with `again`.
        """
        if problem := self._problem_of(scan):
            return self._refuse(scan, problem)
        mark = content_mark(scan.node)
        # Two places of a volume may lead to one upright place; then nothing is embedded again, but points differ.
        scan.upright_from_own = upright_from_own(scan.node)
        if scan.sent_mark == mark and (scan.embedding or scan.ready or (scan.failure and not again)):
            return not scan.failure
        scan.sent_mark, scan.fraction, scan.failure = mark, 0.0, ""
        try:
            array, ijk_to_lps = volume_arrays(scan.node)
        except SAMLandmarkError as error:
            return self._fail(scan, str(error))
        data = ScanData(
            scan.key,
            scan.name,
            array,
            scan.upright_from_own @ ijk_to_lps,
            source_path(scan.node),
            kind_name(scan.node),
        )
        scan.embedding, scan.step = True, "waiting"
        self.worker.embed(data, self._done(scan, mark), self._failed(scan, mark), self._progress(scan, mark))
        self._on_change(scan)
        return True

    def _done(self, scan: SessionScan, mark: ContentMark) -> Callable[[EmbedReply], None]:
        def done(reply: EmbedReply) -> None:
            if not reply.from_cache:
                self._estimate.measured(reply.seconds, reply.voxels_2mm)
            if scan.sent_mark != mark:
                return
            scan.fraction, scan.embedding = 1.0, False
            for text in (*reply.warnings, *reply.notes):
                self._on_note(f"{scan.name}: {text}")
            self._on_change(scan)

        return done

    def _failed(self, scan: SessionScan, mark: ContentMark) -> Callable[[WorkerFailure], None]:
        def failed(failure: WorkerFailure) -> None:
            if scan.sent_mark != mark:
                return
            scan.embedding, scan.fraction = False, 0.0
            if failure.kind in SILENT_KINDS or failure.kind in WORKER_KINDS:
                scan.sent_mark = None
                self._on_change(scan)
            if failure.kind in WORKER_KINDS:
                self._on_note(failure.message)
            elif failure.kind not in SILENT_KINDS:
                self._fail(scan, failure.message)

        return failed

    def _progress(self, scan: SessionScan, mark: ContentMark) -> Callable[[str, str, float], None]:
        def progress(key: str, step: str, fraction: float) -> None:
            if scan.sent_mark == mark and scan.embedding:
                scan.step, scan.fraction = step, min(fraction, 0.99)
                self._on_change(scan)

        return progress

    def _refuse(self, scan: SessionScan, problem: str) -> bool:
        """Don't try a scan; it is tried as soon as the problem is gone, and the user is told once."""
        if scan.failure != problem:
            scan.reset()
            scan.failure = problem
            self._on_note(problem)
            self._on_change(scan)
        return False

    def _fail(self, scan: SessionScan, message: str) -> bool:
        scan.embedding, scan.failure = False, message
        self._on_note(f"{scan.name}: {message}")
        self._on_change(scan)
        return False
