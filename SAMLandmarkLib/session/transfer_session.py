"""The workflow: template and follow-ups, transfer, review, export. Without Qt, so that every front end can use it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..review import ReviewItem, ReviewState
from ..review.words import error_limit_mm
from ..scene.layout import ORIENTATIONS, MainWindow
from ..scene.mrml import MarkupsNode, Scene, VolumeNode
from ..scene.nodes import keep_placing
from ..scene.undo import prepare_undo
from ..worker.client import WorkerClient
from .batch import BatchControl
from .context import SessionContext
from .export_control import ExportControl
from .lesions import LesionControl
from .node_watches import NodeWatches
from .observable import Observable
from .registrations import RegistrationControl
from .review_decisions import ReviewDecisions
from .scan_selection import ScanSelection
from .scene_events import SceneEvents
from .status import ScanColumn, SessionStatus
from .transfer_control import TransferControl


class TransferSession(Observable):
    """Transfers the landmarks of a template to its follow-ups and keeps the review of them in a scene.

    `worker` computes and stays the caller's; `who` signs the log (the user's login name by default); `window` shows
    the views (Slicer's own by default). The scene's undo is turned on. Everything is kept in the scene: closing the
    session loses nothing, and `restore` takes it up again. The parts that are attributes hold the rest. All methods
    belong to the main thread; what comes from the worker arrives in `poll`, to be called often.
    """

    def __init__(
        self, scene: Scene, worker: WorkerClient, who: str = "", window: MainWindow | None = None
    ) -> None:
        super().__init__()
        self.scene = scene
        prepare_undo(scene)
        self._context = SessionContext.create(scene, worker, self, who, window)
        self._options, self._store = self._context.options, self._context.store
        self._jobs, self.views = self._context.jobs, self._context.viewing
        self.exports = ExportControl(self._context)
        self._watches = NodeWatches(self._context)
        self._scans = ScanSelection(self._context, self._watches)
        self.transfers = TransferControl(self._context)
        self.batch = BatchControl(self._context, self._scans, self.transfers)
        self.lesions = LesionControl(self._context)
        self.registrations = RegistrationControl(self._context)
        self.decisions = self._decisions = ReviewDecisions(self._context)
        self._events = SceneEvents(self._context, self._scans, self._watches)

    def poll(self) -> None:
        """Take what the worker has sent, and what waited for the end of the scene's own events."""
        for part in (self._jobs.worker, self.exports, self.batch, self.lesions, self.registrations):
            part.poll()
        self._watches.settle()

    def close(self) -> None:
        """Stop what runs and watch the scene no longer; the scene keeps everything."""
        self.remove_all_listeners()
        for part in (self.exports, self.batch, self.lesions, self.registrations):
            part.close()
        self._jobs.stop()
        self._watches.stop()
        self.views.linking.on = False
        self._events.stop()

    @property
    def worker(self) -> WorkerClient:
        """What computes; setting another one cancels what runs."""
        return self._jobs.worker

    @worker.setter
    def worker(self, worker: WorkerClient) -> None:
        self._jobs.replace_worker(worker)

    @property
    def who(self) -> str:
        """The name that signs the log."""
        return self._options.who

    # ---- template and follow-ups

    @property
    def template_volume(self) -> VolumeNode | None:
        """The template's volume node."""
        return self._scans.template_volume

    @property
    def template_markups(self) -> MarkupsNode | None:
        """The markups node with the template's landmarks."""
        return self._store.template_markups

    @property
    def follow_ups(self) -> tuple[ScanColumn, ...]:
        """The follow-ups as columns of the review table."""
        return self._scans.columns

    @property
    def labels(self) -> tuple[str, ...]:
        """The template's landmarks in their order."""
        return self._store.labels

    def set_template(self, volume_node: VolumeNode | None, markups_node: MarkupsNode | None) -> None:
        """Transfer the landmarks in `markups_node` on `volume_node`; a review of the two goes on where it ended."""
        self._scans.set_template(volume_node, markups_node)

    @property
    def protocol(self) -> str:
        """The protocol whose landmarks are found without a template; empty where there is a template, or nothing."""
        return self._store.protocol

    def set_protocol(self, protocol: str) -> None:
        """Find a protocol's landmarks in the follow-ups, without a template; see `protocols.protocol_names`."""
        self._scans.set_protocol(protocol)

    def set_follow_ups(self, volume_nodes: Iterable[VolumeNode]) -> None:
        """Transfer to these volumes, by study date; they are embedded in the background at once."""
        self._scans.set_follow_ups(volume_nodes)

    def restore(self) -> bool:
        """Take up the review that a loaded scene holds; False where it holds none. Nothing is computed yet."""
        return self._scans.restore()

    # ---- transfer

    @property
    def blocking_reason(self) -> str:
        """What keeps a transfer from being possible, in a sentence for the user; "" where nothing does."""
        return self.transfers.blocking_reason

    def estimate_seconds(self) -> float | None:
        """Seconds that `transfer` would take now, None where it isn't possible."""
        return None if self.blocking_reason else self._jobs.estimate_seconds()

    def transfer(self, again: bool = False) -> None:
        """Transfer all landmarks to all follow-ups, as one step of undo.

        What the user has decided stays, unless `again`. Raises UsageError with the blocking_reason where there is one.
        """
        self.transfers.transfer(again)

    def cancel(self) -> None:
        """Stop everything that runs; what is found already stays."""
        self.transfers.cancel()

    @property
    def live(self) -> bool:
        """Whether every landmark placed or dragged on the template is transferred to all follow-ups at once."""
        return self._options.live

    @live.setter
    def live(self, live: bool) -> None:
        self.transfers.set_live(live)

    @property
    def use_corrections(self) -> bool:
        """Whether landmarks that the user corrected in a follow-up help to find them in the others."""
        return self._options.use_corrections

    @use_corrections.setter
    def use_corrections(self, use: bool) -> None:
        self.transfers.set_use_corrections(use)

    @property
    def busy(self) -> bool:
        """Whether anything runs, be it in the background."""
        return self._jobs.busy

    @property
    def transferring(self) -> bool:
        """Whether something runs that the user waits for."""
        return self._jobs.transferring

    @property
    def status(self) -> SessionStatus:
        """What runs now."""
        return self._jobs.status

    # ---- the review

    @property
    def state(self) -> ReviewState:
        """The review as it is now."""
        return self._store.state

    @property
    def current(self) -> tuple[str, str] | None:
        """Key of the follow-up and label of the landmark under review, None where none was selected."""
        return self.views.current

    def item(self, scan_key: str, label: str) -> ReviewItem | None:
        """A landmark in a follow-up, None where it was not transferred yet."""
        return self.state.item(scan_key, label)

    @property
    def counts(self) -> dict[str, int]:
        """How far the review of the present follow-ups is; see `ReviewState.counts`."""
        return self.state.counts(scan.key for scan in self._jobs.follow_ups)

    def error_limit_mm(self, scan_key: str) -> float:
        """The error that the confidence of a follow-up's landmarks speaks of."""
        return error_limit_mm(self._store.provenance(scan_key))

    def outdated_labels(self, scan_key: str) -> frozenset[str]:
        """The transferred landmarks of a follow-up for which `is_outdated` holds."""
        return frozenset(label for label in self.state.items(scan_key) if self.is_outdated(scan_key, label))

    def is_outdated(self, scan_key: str, label: str) -> bool:
        """Whether the template's landmark is no longer where it was when it was transferred."""
        return self.item(scan_key, label) is not None and self._context.changes.is_outdated(scan_key, label)

    def select(self, scan_key: str, label: str) -> None:
        """Review a landmark in a follow-up: template and follow-up look at it."""
        self._decisions.select(scan_key, label)

    def next_doubtful(self) -> bool:
        """Go to the next landmark that is doubtful or missing and undecided; False where there is none."""
        return self._decisions.next_doubtful()

    def accept(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark (the current one by default) is right; without a position: it is rightly missing."""
        self._decisions.decide(ReviewState.accept, scan_key, label)

    def reject(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark is wrong and not to be used; its place stays in the log."""
        self._decisions.decide(ReviewState.reject, scan_key, label)

    def set_missing(self, scan_key: str | None = None, label: str | None = None) -> None:
        """The landmark isn't in this scan."""
        self._decisions.decide(ReviewState.set_missing, scan_key, label)

    def reopen(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Back to what the engine answered."""
        self._decisions.reopen(scan_key, label)

    def next_candidate(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Move the landmark to the next place that looks alike."""
        self._decisions.next_candidate(scan_key, label)

    def correct(self, scan_key: str, label: str, position_lps: Sequence[float]) -> None:
        """The landmark is at `position_lps` (LPS mm, the follow-up's own frame), as if it was dragged there."""
        self._decisions.correct(scan_key, label, position_lps)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self.scene.GetNumberOfUndoLevels() > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return self.scene.GetNumberOfRedoLevels() > 0

    def undo(self) -> None:
        """Undo the last step, be it a whole transfer."""
        with keep_placing(self.scene):
            self.scene.Undo()

    def redo(self) -> None:
        """Redo what was undone last."""
        with keep_placing(self.scene):
            self.scene.Redo()

    # ---- views

    def show_side_by_side(self, orientations: Sequence[str] = ORIENTATIONS[:1]) -> None:
        """Show template and follow-ups side by side, six scans a page; selecting a landmark turns to its page."""
        self.views.show_side_by_side(orientations)

    def leave_side_by_side(self) -> None:
        """Show what the window showed before, with the points of every scan in all views."""
        self.views.leave_side_by_side()

    @property
    def heat_map_shown(self) -> bool:
        """Whether the similarity of the current landmark lies over its follow-up, or soon will."""
        return self._jobs.heat_maps.shown

    def show_heat_map(self, scan_key: str | None = None, label: str | None = None) -> None:
        """Lay the similarity to a landmark (the current one by default) over a follow-up."""
        self._decisions.show_heat_map(scan_key, label)

    def hide_heat_map(self) -> None:
        """Take the overlay away."""
        self._jobs.heat_maps.hide()

    # ---- export

    def export(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the markups of every scan, tables, the log and a report; see `ExportControl.write`."""
        return self.exports.write(folder)
