"""Which scans a session has: the template with its landmarks, and the follow-ups."""

from __future__ import annotations

from collections.abc import Iterable

from ..scene.mrml import MarkupsNode, VolumeNode
from ..scene.review_node import ReviewNode
from ..scene.studies import by_study_date
from ..utils.translation import _
from .context import SessionContext
from .node_watches import NodeWatches
from .scans import SessionScan, scan_titles
from .status import Change, ScanColumn


class ScanSelection:
    """Sets the scans of a session and takes up the review that the scene holds of them."""

    def __init__(self, context: SessionContext, watches: NodeWatches) -> None:
        self._context, self._watches = context, watches
        self._store, self._jobs = context.store, context.jobs

    @property
    def template_volume(self) -> VolumeNode | None:
        """The template's volume node."""
        return None if self._jobs.template is None else self._jobs.template.node

    @property
    def columns(self) -> tuple[ScanColumn, ...]:
        """The follow-ups as columns of the review table."""
        scans = self._jobs.follow_ups
        return tuple(
            ScanColumn(
                *(scan.key, scan.name, scan.date, scan.node),
                *(self._store.markups_of(scan), title, scan.failure),
            )
            for scan, title in zip(scans, scan_titles(scans), strict=True)
        )

    def set_template(self, volume_node: VolumeNode | None, markups_node: MarkupsNode | None) -> None:
        """See `TransferSession.set_template`."""
        same = (volume_node, markups_node) == (self.template_volume, self._store.template_markups)
        if same and not self._store.protocol:
            return
        self._take_up(volume_node, markups_node, self._jobs.follow_ups)
        self._scans_changed()

    def set_protocol(self, protocol: str) -> None:
        """See `TransferSession.set_protocol`."""
        if protocol != self._store.protocol:
            self._take_up(None, None, self._jobs.follow_ups, protocol)
            self._scans_changed()

    def set_follow_ups(self, volume_nodes: Iterable[VolumeNode]) -> None:
        """See `TransferSession.set_follow_ups`."""
        wanted = [node for node in dict.fromkeys(volume_nodes) if node is not self.template_volume]
        scans = [self._scan_of(node) for node in by_study_date(wanted)]
        if scans != self._jobs.follow_ups:
            self._jobs.set_scans(self._jobs.template, scans)
            self._scans_changed()

    def restore(self) -> bool:
        """See `TransferSession.restore`."""
        review = ReviewNode.find(self._context.scene)
        if review is None:
            return False
        volume_node, markups_node = review.template
        if not review.protocol and (volume_node is None or markups_node is None):
            return False
        self._take_up(volume_node, markups_node, [], review.protocol)
        self._scans_changed(embed=False)
        return True

    def drop_removed(self) -> None:
        """Go on without the nodes that the scene has lost."""
        is_present = self._context.scene.IsNodePresent
        volume_node, markups_node = self.template_volume, self._store.template_markups
        volume_left = volume_node if volume_node is not None and is_present(volume_node) else None
        markups_left = markups_node if markups_node is not None and is_present(markups_node) else None
        follow_ups = [scan.node for scan in self._jobs.follow_ups if is_present(scan.node)]
        template_lost = volume_left is not volume_node or markups_left is not markups_node
        if self._jobs.busy and (template_lost or len(follow_ups) < len(self._jobs.follow_ups)):
            self._jobs.stop()
        if not self._store.protocol:
            self.set_template(volume_left, markups_left)
        self.set_follow_ups(follow_ups)

    def _take_up(
        self,
        volume_node: VolumeNode | None,
        markups_node: MarkupsNode | None,
        present: list[SessionScan],
        protocol: str = "",
    ) -> None:
        """Take up a review with the follow-ups that it had, or begin one with those that are `present`."""
        if protocol != self._store.protocol:
            self._jobs.drop_transfers()
        problem = self._store.open(volume_node, markups_node, protocol)
        nodes = self._store.follow_up_volumes or [scan.node for scan in present]
        others = by_study_date([node for node in nodes if node is not volume_node])
        template = None if volume_node is None else self._scan_of(volume_node)
        self._jobs.set_scans(template, [self._scan_of(node) for node in others])
        self._context.viewing.select_nothing()
        self._context.notices.notify_user_if_any(problem)

    def _take_up_volumes(self) -> None:
        """Compare the volumes and the points of the follow-ups with what the review says of them."""
        texts = [
            self._context.volumes.take_up(scan, scan is self._jobs.template) for scan in self._jobs.scans
        ]
        for scan in self._jobs.follow_ups:
            if labels := self._context.changes.reconcile(scan, self._context.options.who):
                text = _("{scan}: {labels} had been moved in the scene and count as corrected by you.")
                texts.append(text.format(scan=scan.name, labels=", ".join(labels)))
        self._context.notices.notify_user_if_any(" ".join(text for text in texts if text))

    def _scan_of(self, node: VolumeNode) -> SessionScan:
        known = (scan for scan in self._jobs.scans if scan.node is node)
        return next(known, None) or SessionScan.of(node)

    def _scans_changed(self, embed: bool = True) -> None:
        self._store.remember_follow_ups(self._jobs.follow_ups)
        self._take_up_volumes()
        self._store.take_over(self._jobs.follow_ups)
        if embed:
            self._jobs.embed()
        if embed and self._context.options.live:
            self._context.changes.transfer_outdated(self._store.step())
        self._watches.renew()
        self._context.viewing.watch_gray_levels()
        self._store.show_points(self._jobs.template, self._jobs.follow_ups)
        self._context.notices.notify(Change.SCANS, Change.REVIEW, Change.SELECTION, Change.STATUS)
