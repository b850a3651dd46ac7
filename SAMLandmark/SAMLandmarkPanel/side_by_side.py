"""The layout with the template on the left and the follow-ups beside it, while the module is open."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SAMLandmarkLib.scene import scan_key, slice_node_ids
from SAMLandmarkLib.scene.layout import slice_nodes
from SAMLandmarkLib.session import TransferSession

from .parameters import SAMLandmarkParameterNode
from .widget_help import WidgetHelp

_ALL_VIEWS = -1
_RESIZE_MILLISECONDS = 100


class SideBySide:
    """Switches the layout when scans or orientation change, and back when it is no longer wanted."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._active = False
        self._shown: tuple | None = None
        self._fitted: tuple[str, ...] = ()
        session.views.keep_the_body_in_place()

    def setActive(self, active: bool) -> None:
        """Tell whether the module is open; when it is left, the layout from before comes back."""
        # without a main window, as in some tests of Slicer, there are no views to arrange
        self._active = active and slicer.app.layoutManager() is not None
        if not active:
            self._restoreLayout()

    def update(self, parameters: SAMLandmarkParameterNode | None) -> None:
        """Show what the parameters ask for."""
        wanted = parameters is not None and parameters.sideBySide
        missing = "" if wanted else _("Tick the box for scans side by side first.")
        self._hints.enable(self._ui.orientationSelector, missing)
        if not self._active:
            return
        template = self._session.template_volume
        hasSource = template is not None or self._session.protocol
        if not wanted or not hasSource or not self._session.follow_ups:
            self._restoreLayout()
            return
        names = parameters.orientation.names
        first = self._session.protocol if template is None else template.GetID()
        scans = (first, *(scan.key for scan in self._session.follow_ups))
        if self._shown != (scans, names):
            self._show(scans, names)
        if self._fitted != self._session.views.shown:
            self._fitted = self._session.views.shown
            # the views get their size only after this
            qt.QTimer.singleShot(0, self._fitViews)

    def _show(self, scans: tuple[str, ...], names: tuple[str, ...]) -> None:
        self._shown = (scans, names)
        self._session.show_side_by_side(names)
        # a click in the list of points moves the template's views and no others
        hasTemplate = self._session.template_volume is not None
        self._ui.pointsList.viewGroup = self._templateViewGroup() if hasTemplate else _ALL_VIEWS
        self._fitted = ()

    def _fitViews(self) -> None:
        if not self._fitted:
            return  # the module was left meanwhile
        # views that are fitted are not scrolled by anybody
        with self._session.views.linking.paused():
            slicer.app.layoutManager().resetSliceViews()
        self._session.views.look_at_current()
        # a view may get its last size later still, and would show a part of the body only
        qt.QTimer.singleShot(_RESIZE_MILLISECONDS, partial(self._fitResized, _viewSizes()))

    def _fitResized(self, before: list[tuple]) -> None:
        if not self._fitted or before == _viewSizes():
            return
        # the user may have scrolled meanwhile
        offsets = [(view, view.GetSliceOffset()) for view in slice_nodes(slicer.mrmlScene)]
        self._fitViews()
        for view, offset in offsets:
            view.SetSliceOffset(offset)

    def _restoreLayout(self) -> None:
        # also where nothing was shown by this panel: a scene of an older version may ask for a layout that is not there
        self._shown, self._fitted = None, ()
        self._session.leave_side_by_side()
        self._ui.pointsList.viewGroup = _ALL_VIEWS

    def _templateViewGroup(self) -> int:
        views = slice_node_ids(slicer.mrmlScene, scan_key(self._session.template_volume))
        return slicer.mrmlScene.GetNodeByID(views[0]).GetViewGroup()


def _viewSizes() -> list[tuple]:
    """Names and sizes in pixels of the scans' views."""
    return [(view.GetLayoutName(), view.GetDimensions()) for view in slice_nodes(slicer.mrmlScene)]
