"""What happens to the scene as a whole: it is closed, loses a node, or is undone or redone."""

from __future__ import annotations

from ..scene.points import tidy_after_undo
from ..scene.watch import SceneWatch, is_in_flux
from .context import SessionContext
from .node_watches import NodeWatches
from .scan_selection import ScanSelection
from .status import Change


class SceneEvents:
    """Keeps a session right when the scene changes under it."""

    def __init__(self, context: SessionContext, selection: ScanSelection, watches: NodeWatches) -> None:
        self._context, self._selection, self._watches = context, selection, watches
        self._store, self._jobs = context.store, context.jobs
        self._watch = SceneWatch(context.scene, self._closing, self._node_removed, self._undone)

    def stop(self) -> None:
        """Watch the scene no longer."""
        self._watch.stop()

    def _closing(self) -> None:
        self._jobs.stop()
        self._jobs.heat_maps.shown = False
        self._context.viewing.scene_closes()
        self._watches.stop()
        self._jobs.set_scans(None, [])
        self._store.close()
        self._context.volumes.forget_all()
        self._context.options.live = False
        self._context.notices.notify(Change.SCANS, Change.REVIEW, Change.SELECTION, Change.STATUS)

    def _node_removed(self) -> None:
        if not is_in_flux(self._context.scene):
            self._selection.drop_removed()

    def _undone(self) -> None:
        self._jobs.drop_transfers()
        self._selection.drop_removed()
        if self._store.template_markups is not None:
            # unwatched: this is no change by the user
            self._watches.stop()
            tidy_after_undo(self._store.template_markups)
        template_volume = self._selection.template_volume
        self._context.notices.notify_user_if_any(self._store.reload(template_volume, self._jobs.follow_ups))
        self._watches.renew()
        self._context.viewing.mark_current()
        self._context.notices.notify(Change.SCANS, Change.REVIEW)
