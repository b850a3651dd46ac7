"""The layout with the template on the left and the follow-ups beside it, while the module is open."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SAMLandmarkLib.scene import scan_key, slice_node_ids
from SAMLandmarkLib.session import TransferSession

from .parameters import SAMLandmarkParameterNode
from .widget_help import WidgetHelp

_ALL_VIEWS = -1


class SideBySide:
    """Switches the layout when scans or orientation change, and back when it is no longer wanted."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._active = False
        self._shown: tuple | None = None
        self._layoutBefore: int | None = None

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
        if not wanted or self._session.template_volume is None or not self._session.follow_ups:
            self._restoreLayout()
            return
        names = parameters.orientation.names
        scans = (self._session.template_volume.GetID(), *(scan.key for scan in self._session.follow_ups))
        if self._shown != (scans, names):
            self._show(scans, names)

    def _show(self, scans: tuple[str, ...], names: tuple[str, ...]) -> None:
        if self._shown is None:
            self._layoutBefore = _layoutNode().GetViewArrangement()
        self._shown = (scans, names)
        self._session.show_side_by_side(names)
        # a click in the list of points moves the template's views and no others
        self._ui.pointsList.viewGroup = self._templateViewGroup()
        # the views get their size only after this
        qt.QTimer.singleShot(0, self._fitViews)

    def _fitViews(self) -> None:
        slicer.app.layoutManager().resetSliceViews()
        if self._session.current is not None:
            self._session.select(*self._session.current)

    def _restoreLayout(self) -> None:
        if self._shown is None:
            return
        self._shown = None
        if self._layoutBefore is not None:
            _layoutNode().SetViewArrangement(self._layoutBefore)
        self._session.leave_side_by_side()
        self._ui.pointsList.viewGroup = _ALL_VIEWS

    def _templateViewGroup(self) -> int:
        views = slice_node_ids(slicer.mrmlScene, scan_key(self._session.template_volume))
        return slicer.mrmlScene.GetNodeByID(views[0]).GetViewGroup()


def _layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()
