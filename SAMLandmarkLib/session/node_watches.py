"""Follows what the user does to the landmarks and the volumes of a session in the scene's views."""

from __future__ import annotations

from functools import partial

from ..scene.mrml import MarkupsNode
from ..scene.observers import Observers
from ..scene.points import read_points, rename_repeated
from ..scene.watch import MarkupsWatch, VolumeWatch, is_in_flux
from ..utils.translation import _
from .context import SessionContext
from .scans import SessionScan
from .status import Change


class NodeWatches:
    """Watches the nodes that a session has now, and lets review and views follow them."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._store, self._jobs = context.store, context.jobs
        self._watches: list[MarkupsWatch | VolumeWatch] = []
        self._review_watch = Observers()
        self._transformed: set[str] = set()
        self._store.on_new_markups = self._watch_follow_up

    def renew(self) -> None:
        """Watch the nodes that there are now, and no others."""
        self.stop()
        if self._store.template_markups is not None:
            changed = self._template_changed
            self._watches.append(MarkupsWatch(self._store.template_markups, changed, changed))
        if (review := self._store.review_node) is not None:
            self._review_watch.add(review, "ModifiedEvent", self._review_changed)
        for scan in self._jobs.scans:
            self._watches.append(VolumeWatch(scan.node, partial(self._volume_changed, scan)))
        for scan in self._jobs.follow_ups:
            if (node := self._store.markups_of(scan)) is not None:
                self._watch_follow_up(scan, node)

    def stop(self) -> None:
        """Watch nothing."""
        self._review_watch.clear()
        for watch in self._watches:
            watch.stop()
        self._watches.clear()

    def _watch_follow_up(self, scan: SessionScan, markups_node: MarkupsNode) -> None:
        self._watches.append(
            MarkupsWatch(
                markups_node, partial(self._follow_up_changed, scan), partial(self._list_transformed, scan)
            )
        )

    def _list_transformed(self, scan: SessionScan) -> None:
        # Slicer crashes where a node gets another transform while it tells that it got one
        self._transformed.add(scan.key)

    def settle(self) -> None:
        """Put points that were put under a transform of their own back under that of their volume."""
        keys, self._transformed = self._transformed, set()
        for scan in self._jobs.follow_ups:
            if scan.key in keys and self._store.follow_transform(scan):
                text = _(
                    "The points of {scan} move with their volume; put the volume itself under a transform."
                )
                self._context.notices.notify_user(text.format(scan=scan.name))

    def _review_changed(self) -> None:
        """Go on with what another session, such as that of a script, has written into the review."""
        if is_in_flux(self._context.scene) or not self._store.changed_outside():
            return
        self._context.notices.notify_user_if_any(
            self._store.reload(None if self._jobs.template is None else self._jobs.template.node, [])
        )
        self._context.notices.notify(Change.SCANS, Change.REVIEW)

    # ---- volumes

    def _volume_changed(self, scan: SessionScan) -> None:
        if is_in_flux(self._context.scene):
            return
        # a sequence that shows another frame writes over all attributes
        scan.keep_key()
        is_template = scan is self._jobs.template
        message = self._context.volumes.changed(scan, is_template)
        if is_template and self._read_template():
            message = message or _(
                "The template was moved against its landmarks, which are at other places of the anatomy now: "
                "move them back, or transfer again."
            )
        if message:
            self._context.notices.notify_user(message)
            self._context.notices.notify(Change.REVIEW)
        if message or scan.take_name():
            self._context.notices.notify(Change.SCANS)

    # ---- landmarks

    def _template_changed(self) -> None:
        if not is_in_flux(self._context.scene):
            self._read_template()

    def _read_template(self) -> list[str]:
        """Let review and views follow the template's landmarks; returns the labels placed or moved."""
        template, markups_node = self._jobs.template, self._store.template_markups
        if template is None or markups_node is None:
            return []
        if rename_repeated(markups_node, {point.id for point in self._store.points}):
            return []  # the new name has brought us here already
        points, options = read_points(markups_node, template.node), self._context.options
        placed = self._context.changes.template_changed(points, options.who, options.live)
        if placed is None:
            self._context.notices.notify(Change.STATUS)
            return []
        if options.live:
            self._context.viewing.awaited = placed
        self._context.viewing.mark_current()
        self._context.notices.notify(Change.SCANS, Change.REVIEW)
        return placed

    def _follow_up_changed(self, scan: SessionScan) -> None:
        if is_in_flux(self._context.scene) or self._store.writing:
            return
        options = self._context.options
        moved = self._context.changes.follow_up_changed(scan, options.who, options.use_corrections)
        if moved:
            self._context.viewing.moved_by_user(scan, moved)
            self._context.notices.notify(Change.REVIEW, Change.SELECTION)
