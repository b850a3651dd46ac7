"""Template and follow-ups of a session, and what happens to them in the scene."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from functools import partial

from ..scene.layout import Window
from ..scene.points import read_points, rename_repeated, tidy_after_undo
from ..scene.review_node import ReviewNode
from ..scene.studies import by_study_date
from ..scene.undo import prepare_undo
from ..scene.watch import MarkupsWatch, SceneWatch, TransformWatch, is_in_flux
from ..worker import WorkerClient
from .announcer import Announcer
from .board import ReviewBoard
from .display import Viewing
from .following import Follower
from .scans import Scan
from .status import Change, ScanColumn
from .work import Owner, Work


class SessionScans(Announcer, Owner):
    """The part of `TransferSession` that knows the scans; it reacts to what the user does in the scene's views."""

    def __init__(
        self, scene: object, worker: WorkerClient, who: str = "", window: Window | None = None
    ) -> None:
        super().__init__()
        prepare_undo(scene)
        self.scene = scene
        self.who = who or _login_name()
        self._markups: object | None = None
        self._live = False
        self._use_corrections = False
        self._board = ReviewBoard(scene)
        self._work = Work(scene, worker, self)
        self._follower = Follower(self._board, self._work)
        self._viewing = Viewing(self._board, self._work, window)
        self._watches: list[MarkupsWatch | TransformWatch] = []
        self._scene_watch = SceneWatch(scene, self._scene_closing, self._node_removed, self._undone)

    # ---- life

    def poll(self) -> None:
        """Take what the worker has sent."""
        self._work.worker.poll()

    def close(self) -> None:
        """Stop what runs and watch the scene no longer; the scene keeps everything."""
        self._listeners.clear()
        self._work.stop()
        self._stop_watching()
        self._viewing.linking.on = False
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
        self._viewing.select_nothing()
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
        self._viewing.select_nothing()
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
    def current(self) -> tuple[str, str] | None:
        """Key of the follow-up and label of the landmark under review, None where none was selected."""
        return self._viewing.current

    @property
    def labels(self) -> tuple[str, ...]:
        """The template's landmarks in their order."""
        return tuple(point.label for point in self._board.points)

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
        if embed and self._live:
            self._follower.want_what_is_missing(self._board.step())
        self._watch_nodes()
        self._board.show_points(self._work.template, self._work.follow_ups)
        self._notify(Change.SCANS, Change.REVIEW, Change.SELECTION, Change.STATUS)

    def _watch_nodes(self) -> None:
        """Watch the nodes that there are now."""
        self._stop_watching()
        if self._markups is not None:
            self._watches.append(MarkupsWatch(self._markups, self._template_changed))
        for scan in self._work.follow_ups:
            follow = partial(self._board.follow_transform, scan)
            self._watches.append(TransformWatch(scan.node, follow))
            if (node := self._board.markups_of(scan)) is not None:
                self._watches.append(MarkupsWatch(node, partial(self._follow_up_changed, scan)))

    def _stop_watching(self) -> None:
        for watch in self._watches:
            watch.stop()
        self._watches.clear()

    def _template_changed(self) -> None:
        if is_in_flux(self.scene) or self.template_volume is None:
            return
        if rename_repeated(self._markups, {point.id for point in self._board.points}):
            return  # the new name has brought us here already
        points = read_points(self._markups, self.template_volume)
        placed = self._follower.template_changed(points, self.who, self._live)
        if placed is not None:
            if self._live:
                self._viewing.awaited = placed
            self._viewing.mark_current()
            self._notify(Change.SCANS, Change.REVIEW)
        else:
            self._notify(Change.STATUS)

    def _follow_up_changed(self, scan: Scan) -> None:
        if is_in_flux(self.scene) or self._board.writing:
            return
        moved = self._follower.follow_up_changed(scan, self.who, self._use_corrections)
        if moved:
            self._viewing.moved_by_user(scan, moved)
            self._notify(Change.REVIEW, Change.SELECTION)

    def _scene_closing(self) -> None:
        self._work.stop()
        self._work.heat_maps.shown = False
        self._viewing.linking.on = False
        self._stop_watching()
        self._work.set_scans(None, [])
        self._board.close()
        self._markups, self._viewing.current, self._live = None, None, False
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
        if self._markups is not None:
            # unwatched: this is no change by the user
            self._stop_watching()
            tidy_after_undo(self._markups)
        self._tell_if(self._board.reload((self.template_volume, self._markups), self._work.follow_ups))
        self._watch_nodes()
        self._viewing.mark_current()
        self._notify(Change.SCANS, Change.REVIEW)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
