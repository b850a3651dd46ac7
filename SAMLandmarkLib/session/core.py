"""Template, follow-ups and the transfer between them, for as long as the scene is open."""

from __future__ import annotations

import getpass
from collections.abc import Iterable

import numpy as np

from ..errors import UsageError
from ..scene.points import label_problem, read_points
from ..scene.review_node import ReviewNode
from ..scene.studies import by_study_date
from ..scene.undo import prepare_undo
from ..scene.watch import MarkupsWatch, SceneWatch, is_in_flux
from ..worker import TransferReply, TransferRequest, WorkerClient
from .announcer import Announcer
from .board import ReviewBoard
from .following import Follower
from .scans import Scan
from .status import Change, ScanColumn, SessionStatus
from .transfers import Wish
from .work import Work


class SessionCore(Announcer):
    """The part of `TransferSession` that carries landmarks; it reacts to what the user does in the scene's views."""

    def __init__(self, scene: object, worker: WorkerClient, who: str = "") -> None:
        super().__init__()
        prepare_undo(scene)
        self.scene = scene
        self.who = who or _login_name()
        self.current: tuple[str, str] | None = None
        self._markups: object | None = None
        self._live = False
        self._use_corrections = False
        self._board = ReviewBoard(scene)
        self._work = Work(scene, worker, self)
        self._follower = Follower(self._board, self._work)
        self._markups_watches: list[MarkupsWatch] = []
        self._scene_watch = SceneWatch(scene, self._scene_closing, self._node_removed, self._undone)

    # ---- life

    def poll(self) -> None:
        """Take what the worker has sent."""
        self._work.worker.poll()

    def close(self) -> None:
        """Stop what runs and watch the scene no longer; the scene keeps everything."""
        self._listeners.clear()
        self._work.stop()
        self._stop_watching_markups()
        self._scene_watch.stop()

    @property
    def worker(self) -> WorkerClient:
        """What computes; another one may be set, and what runs is then cancelled."""
        return self._work.worker

    @worker.setter
    def worker(self, worker: WorkerClient) -> None:
        self._work.replace_worker(worker)

    # ---- template and follow-ups

    @property
    def template_volume(self) -> object | None:
        """The template's volume node."""
        return None if self._work.template is None else self._work.template.node

    @property
    def template_markups(self) -> object | None:
        """The markups node with the template's landmarks."""
        return self._markups

    def set_template(self, volume_node: object | None, markups_node: object | None) -> None:
        """Carry the landmarks in `markups_node` on `volume_node`; a review of the two is taken up where it ended."""
        if (volume_node, markups_node) == (self.template_volume, self._markups):
            return
        follow_ups = [scan for scan in self._work.follow_ups if scan.node is not volume_node]
        self._work.set_scans(self._known_scan(volume_node), follow_ups)
        self._markups = markups_node
        self.current = None
        self._tell_if(self._board.open(volume_node, markups_node))
        self._scans_changed()

    def set_follow_ups(self, volume_nodes: Iterable[object]) -> None:
        """Carry the landmarks to these volumes, by study date; they are embedded in the background at once."""
        wanted = [node for node in dict.fromkeys(volume_nodes) if node is not self.template_volume]
        scans = [self._known_scan(node) for node in by_study_date(wanted)]
        if scans != self._work.follow_ups:
            self._work.set_scans(self._work.template, scans)
            self._scans_changed()

    def restore(self) -> bool:
        """Take up the review that a loaded scene holds; False where it holds none. Nothing is computed yet."""
        review = ReviewNode.find(self.scene)
        if review is None or None in review.template:
            return False
        volume_node, self._markups = review.template
        follow_ups = [node for node in review.follow_ups if node is not volume_node]
        self._work.set_scans(
            self._known_scan(volume_node), [self._known_scan(node) for node in by_study_date(follow_ups)]
        )
        self.current = None
        self._tell_if(self._board.open(volume_node, self._markups))
        self._scans_changed(embed=False)
        return True

    @property
    def follow_ups(self) -> tuple[ScanColumn, ...]:
        """The follow-ups as columns of the review table."""
        return tuple(
            ScanColumn(scan.key, scan.name, scan.date, scan.node, self._board.markups_of(scan), scan.failure)
            for scan in self._work.follow_ups
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The template's landmarks in their order."""
        return tuple(point.label for point in self._board.points)

    @property
    def obstacle(self) -> str:
        """What keeps a transfer from being possible, in a sentence for the user; "" where nothing does."""
        if self.template_volume is None:
            return "Choose the template volume."
        if self._markups is None:
            return "Choose or create the list of landmarks on the template."
        points = read_points(self._markups, self.template_volume)
        if not points:
            return "Place at least one landmark on the template."
        if problem := label_problem(points):
            return problem
        return "" if self._work.follow_ups else "Choose at least one follow-up volume."

    # ---- transfer

    def estimate_seconds(self) -> float | None:
        """Seconds that `transfer` would take now, None where it isn't possible."""
        return None if self.obstacle else self._work.estimate_seconds()

    def transfer(self, again: bool = False) -> None:
        """Carry all landmarks to all follow-ups, as one step of undo.

        What the user has decided stays, unless `again`. Raises UsageError with the obstacle where there is one.
        """
        if obstacle := self.obstacle:
            raise UsageError(obstacle)
        self.clear_message()
        step = self._board.step()
        self._follower.take_template(read_points(self._markups, self.template_volume), self.who, step)
        self._work.embed(again=True)
        for scan in self._work.follow_ups:
            self._work.want(scan, self.labels, step, again, waited=True)
        self._work.send()
        self._notify(Change.SCANS)

    @property
    def live(self) -> bool:
        """Whether every landmark placed or dragged on the template is carried to all follow-ups at once."""
        return self._live

    @live.setter
    def live(self, live: bool) -> None:
        if live and not self._live and not self.obstacle:
            self._follower.want_what_is_missing(self._board.step())
        self._live = live
        self._notify(Change.STATUS)

    @property
    def use_corrections(self) -> bool:
        """Whether landmarks that the user corrected in a follow-up help to find them in the others."""
        return self._use_corrections

    @use_corrections.setter
    def use_corrections(self, use: bool) -> None:
        self._use_corrections = use
        self._notify(Change.STATUS)

    def cancel(self) -> None:
        """Stop everything that runs; what is found already stays."""
        was_busy = self._work.busy
        self._work.stop()
        if was_busy:
            self.tell("Canceled.")

    @property
    def busy(self) -> bool:
        """Whether anything runs, be it in the background."""
        return self._work.busy

    @property
    def transferring(self) -> bool:
        """Whether something runs that the user waits for."""
        return self._work.transferring

    @property
    def status(self) -> SessionStatus:
        """What runs now."""
        return self._work.status

    # ---- what the work asks and tells; see `work.Owner`

    def make_request(self, key: str, labels: Iterable[str]) -> TransferRequest | None:
        """The request for those of the labels that the template still has."""
        places = {point.label: point.position_lps for point in self._board.points}
        kept = [label for label in labels if label in places]
        template = self._work.template
        if template is None or not kept:
            return None
        extra = self._follower.corrections(key, kept) if self._use_corrections else ()
        points = np.array([places[label] for label in kept])
        return TransferRequest(template.key, kept, points, key, extra)

    def take_answer(self, wish: Wish, reply: TransferReply) -> None:
        """Write the landmarks that were found, except those that the user has moved or removed meanwhile."""
        scan = self._work.scan(reply.target_key)
        items = self._follower.items(wish, reply)
        if scan is None or not items:
            return
        state = self._board.state.with_result(scan.key, items, wish.again, self.who)
        self._board.commit(state, wish.step, [scan])
        self._board.remember_provenance(scan.key, reply.provenance)
        self._tell_if(" ".join(reply.provenance.get("notes", ())))
        self._watch_markups()
        self._notify(Change.REVIEW)

    def work_changed(self) -> None:
        """The status is another one."""
        self._notify(Change.STATUS)

    def scan_changed(self, scan: Scan) -> None:
        """A scan is ready, or can't be used."""
        self._notify(Change.SCANS)

    # ---- what happens in the scene

    def _known_scan(self, node: object | None) -> Scan | None:
        if node is None:
            return None
        known = (scan for scan in self._work.scans if scan.node is node)
        return next(known, None) or Scan.of(node)

    def _scans_changed(self, embed: bool = True) -> None:
        self._board.remember_follow_ups(self._work.follow_ups)
        self._board.take_over(self._work.follow_ups)
        if embed:
            self._work.embed()
        self._watch_markups()
        self._notify(Change.SCANS, Change.REVIEW, Change.SELECTION, Change.STATUS)

    def _watch_markups(self) -> None:
        """Watch the markups nodes that there are now."""
        self._stop_watching_markups()
        if self._markups is not None:
            self._markups_watches.append(MarkupsWatch(self._markups, self._template_changed))
        for scan in self._work.follow_ups:
            if (node := self._board.markups_of(scan)) is not None:
                self._markups_watches.append(
                    MarkupsWatch(node, lambda scan=scan: self._follow_up_changed(scan))
                )

    def _stop_watching_markups(self) -> None:
        for watch in self._markups_watches:
            watch.stop()
        self._markups_watches.clear()

    def _template_changed(self) -> None:
        if is_in_flux(self.scene) or self.template_volume is None:
            return
        if self._follower.template_changed(
            read_points(self._markups, self.template_volume), self.who, self._live
        ):
            self._notify(Change.SCANS, Change.REVIEW)

    def _follow_up_changed(self, scan: Scan) -> None:
        if is_in_flux(self.scene) or self._board.writing:
            return
        if self._follower.follow_up_changed(scan, self.who, self._use_corrections):
            self._notify(Change.REVIEW)

    def _scene_closing(self) -> None:
        self._work.stop()
        self._work.heat_maps.shown = False
        self._stop_watching_markups()
        self._work.set_scans(None, [])
        self._board.close()
        self._markups, self.current, self._live = None, None, False
        self._notify(Change.SCANS, Change.REVIEW, Change.SELECTION, Change.STATUS)

    def _node_removed(self) -> None:
        if not is_in_flux(self.scene):
            self._drop_removed()

    def _drop_removed(self) -> None:
        """Go on without the nodes that the scene has lost."""
        template = (self.template_volume, self._markups)
        left = [node if node is not None and self.scene.IsNodePresent(node) else None for node in template]
        follow_ups = [scan.node for scan in self._work.follow_ups if self.scene.IsNodePresent(scan.node)]
        lost = tuple(left) != template or len(follow_ups) < len(self._work.follow_ups)
        if lost and self._work.busy:
            self._work.stop()
        self.set_template(*left)
        self.set_follow_ups(follow_ups)

    def _undone(self) -> None:
        self._work.drop_transfers()
        self._drop_removed()
        self._tell_if(self._board.reload((self.template_volume, self._markups), self._work.follow_ups))
        self._watch_markups()
        self._notify(Change.SCANS, Change.REVIEW)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
