"""What a session has its worker do: embed scans, transfer landmarks, compute heat maps; and how far that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..review import Point
from ..scene.modality import modality_problem
from ..scene.mrml import Scene
from ..scene.undo import UndoStep
from ..worker.client import WorkerClient
from ..worker.messages import TransferReply, WorkerFailure, WorkerRequest
from .estimate import LOCATING_SECONDS, MATCHING_SECONDS, TimeEstimate
from .heat_maps import HeatMaps
from .observable import Observable
from .pending_transfers import PendingTransfer, Transfers
from .scans import SILENT_KINDS, WORKER_KINDS, Embeddings, SessionScan
from .status import Activity, Change, SessionStatus

# Embedding takes nearly all the time of a first transfer.
_EMBEDDING_SHARE = 0.9


class JobOwner(Protocol):
    """Makes the requests for transfers and takes their answers."""

    def make_request(self, key: str, labels: Iterable[str]) -> WorkerRequest | None:
        """The request to transfer to the follow-up `key` those of the labels that still exist."""

    def take_answer(self, pending: PendingTransfer, reply: TransferReply) -> None:
        """Called when landmarks of a follow-up were found."""


class SessionJobs:
    """The scans of a session and everything that runs for them in the worker.

    `owner` must be set before anything is transferred.
    """

    owner: JobOwner

    def __init__(self, scene: Scene, worker: WorkerClient, notices: Observable) -> None:
        self.worker = worker
        self.template: SessionScan | None = None
        self.follow_ups: list[SessionScan] = []
        self.estimate = TimeEstimate()
        self.heat_maps = HeatMaps(scene, worker, self._status_changed, notices.notify_user)
        self._notices = notices
        self._embeddings = Embeddings(
            worker, self.estimate, self._scan_changed, notices.notify_user, self.problem_of
        )
        self._transfers = Transfers(
            worker, self._make_request, self._answered, self._transfer_failed, self._progressed
        )
        self._step = ("", "")
        self._transfers_begun = 0
        self._prepared: set[str] = set()

    @property
    def scans(self) -> list[SessionScan]:
        """The template, where there is one, and the follow-ups."""
        return [scan for scan in (self.template, *self.follow_ups) if scan is not None]

    def scan(self, key: str) -> SessionScan | None:
        """The scan with this key."""
        return next((scan for scan in self.scans if scan.key == key), None)

    # ---- scans

    def set_scans(self, template: SessionScan | None, follow_ups: Sequence[SessionScan]) -> None:
        """Work with these scans from now on; the worker forgets the others."""
        before = {scan.key for scan in self.scans}
        if (template and template.key) != (self.template and self.template.key):
            self._transfers.drop()
            self._prepared.clear()
        self.template, self.follow_ups = template, list(follow_ups)
        for key in before - {scan.key for scan in self.scans}:
            self._transfers.drop(key)
            self._prepared.discard(key)
            self.worker.forget(key)

    def embed(self, again: bool = False) -> None:
        """Have every scan embedded that isn't yet; with `again` those too that failed."""
        for scan in self.scans:
            self._embeddings.require(scan, again)

    def problem_of(self, scan: SessionScan) -> str:
        """Why landmarks can't be found in a scan of its kind, in a sentence; "" where they can."""
        if self.worker.settings.model is not None:
            return ""  # the model that was named knows what it is for
        template = None if self.template is None or scan is self.template else self.template.node
        return modality_problem(scan.node, template)

    def require(self, scan: SessionScan) -> bool:
        """See to it that the worker knows a scan; False where the scan can't be used."""
        return self._embeddings.require(scan)

    def replace_worker(self, worker: WorkerClient) -> None:
        """Go on with another worker, which doesn't know any scan yet."""
        self.stop()
        for scan in self.scans:
            scan.reset()
        self.worker = self.heat_maps.worker = worker
        self._embeddings.worker = self._transfers.worker = worker

    # ---- transfers

    def want(
        self,
        scan: SessionScan,
        labels: Iterable[str],
        step: UndoStep,
        again: bool = False,
        waited: bool = False,
    ) -> None:
        """Find labels in a follow-up, those of a protocol where there is no template; see `Transfers.want`."""
        if (self.template is None or self.require(self.template)) and self.require(scan):
            self._transfers.want(scan.key, labels, step, again, waited)

    def show_heat_map(self, point_lps: Point, scan: SessionScan) -> None:
        """Show how similar the places of a follow-up are to a point of the template (LPS mm)."""
        if self.template is not None and self.require(self.template) and self.require(scan):
            self.heat_maps.show(self.template, point_lps, scan)

    def rename(self, names: dict[str, str]) -> None:
        """Landmarks have new names, {old: new}."""
        self._transfers.rename(names)

    def send(self) -> None:
        """Send what is wanted to the worker."""
        self._transfers.send()
        waiting = self._transfers.waited_for
        self._transfers_begun = max(self._transfers_begun, waiting) if waiting else 0
        self._status_changed()

    def drop_transfers(self) -> None:
        """Don't transfer what was wanted so far."""
        self._transfers.drop()
        self._transfers_begun = 0
        self._status_changed()

    def stop(self) -> None:
        """Drop all requests and end the worker's process, if it does anything."""
        was_busy = self.busy
        self._transfers.drop()
        self._transfers_begun = 0
        if self.heat_maps.running:
            self.heat_maps.hide()
        for scan in self.scans:
            if not scan.ready:
                scan.reset()
        self._prepared.clear()
        if was_busy:
            self.worker.cancel()
        self._status_changed()

    def _make_request(self, key: str, labels: Iterable[str]) -> WorkerRequest | None:
        return self.owner.make_request(key, labels)

    def _status_changed(self) -> None:
        self._notices.notify(Change.STATUS)

    # ---- what the worker says

    def _answered(self, pending: PendingTransfer, reply: TransferReply) -> None:
        for key in (reply.template_key, reply.target_key):
            if (scan := self.scan(key)) is not None:
                scan.set_ready()
        if not self._transfers.running:
            self._transfers_begun = 0
        self.owner.take_answer(pending, reply)
        self._status_changed()

    def _transfer_failed(self, key: str, failure: WorkerFailure) -> None:
        if not self._transfers.running:
            self._transfers_begun = 0
        scan = self.scan(key)
        if failure.kind in WORKER_KINDS:
            self._notices.notify_user(failure.message)
        elif failure.kind not in SILENT_KINDS and scan is not None and not scan.failure:
            scan.failure = failure.message
            self._notices.notify_user(f"{scan.name}: {failure.message}")
            self._notices.notify(Change.SCANS)
        self._status_changed()

    def _progressed(self, key: str, step: str, fraction: float) -> None:
        scan = self.scan(key)
        if scan is not None:
            self._step = (scan.name, step)
            self._status_changed()

    def _scan_changed(self, scan: SessionScan) -> None:
        if scan.embedding:
            self._step = (scan.name, scan.step)
        else:
            self._notices.notify(Change.SCANS)
            self._prepare_ready_pairs()
        self._status_changed()

    def _prepare_ready_pairs(self) -> None:
        """Let the first live transfer of each pair be as quick as the later ones."""
        if self.template is None or not self.template.ready:
            return
        for scan in self.follow_ups:
            if scan.ready and scan.key not in self._prepared:
                self._prepared.add(scan.key)
                self.worker.prepare(self.template.key, scan.key)

    # ---- how far it is

    @property
    def transferring(self) -> bool:
        """Whether the user waits for landmarks or a heat map."""
        return bool(self._transfers.waited_for or self.heat_maps.running)

    @property
    def embedding(self) -> bool:
        """Whether any scan is being embedded."""
        return any(scan.embedding for scan in self.scans)

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return self.embedding or self._transfers.running or self.heat_maps.running

    @property
    def status(self) -> SessionStatus:
        """What runs now."""
        activity = self._activity()
        if activity is Activity.IDLE:
            return SessionStatus()
        return SessionStatus(activity, *self._step, self._fraction(activity))

    def _activity(self) -> Activity:
        if self._transfers.running:
            return Activity.TRANSFERRING
        if self.heat_maps.running:
            return Activity.HEAT_MAP
        return Activity.EMBEDDING if self.embedding else Activity.IDLE

    def _fraction(self, activity: Activity) -> float:
        usable = [scan.fraction for scan in self.scans if not scan.failure]
        embedded = sum(usable) / len(usable) if usable else 0.0
        if activity is not Activity.TRANSFERRING or not self._transfers_begun:
            return embedded
        answered = 1 - self._transfers.waited_for / self._transfers_begun
        return _EMBEDDING_SHARE * embedded + (1 - _EMBEDDING_SHARE) * answered

    def estimate_seconds(self) -> float:
        """Seconds that a transfer to all follow-ups would take from now on."""
        left = [scan.million_voxels_left for scan in self.scans]
        each = LOCATING_SECONDS if self.template is None else MATCHING_SECONDS
        return self.estimate.seconds(left, len(self.follow_ups), each)
