"""The layout with the template on the left and the follow-ups beside it, while the module is open."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SAMLandmarkLib.scene import scan_key, slice_node_ids
from SAMLandmarkLib.scene.follow_up import show_only_in
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
        self._showTemplatePoints(onlyOnTemplate=True)

    def _show(self, scans: tuple[str, ...], names: tuple[str, ...]) -> None:
        if self._shown is None:
            self._layoutBefore = _layoutNode().GetViewArrangement()
        self._shown = (scans, names)
        self._session.show_side_by_side(names)
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
        # the views of the other layouts belong to no scan, so points that are kept out of them would be lost to sight
        self._showTemplatePoints(onlyOnTemplate=False)
        for scan in self._session.follow_ups:
            if scan.markups_node is not None:
                show_only_in(scan.markups_node, [])

    def _showTemplatePoints(self, onlyOnTemplate: bool) -> None:
        """In a follow-up's view the template's points would be taken for the result."""
        volume, points = self._session.template_volume, self._session.template_markups
        if volume is not None and points is not None:
            views = slice_node_ids(slicer.mrmlScene, scan_key(volume)) if onlyOnTemplate else []
            show_only_in(points, views)
            # a click in the list of points moves the template's views and no others
            self._ui.pointsList.viewGroup = _viewGroup(views)


def _viewGroup(viewIds: list[str]) -> int:
    return slicer.mrmlScene.GetNodeByID(viewIds[0]).GetViewGroup() if viewIds else _ALL_VIEWS


def _layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()
