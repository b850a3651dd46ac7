"""How the scans are shown: together, in pages, with which gray levels and names; and the point under the mouse."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from SAMLandmarkLib.core.modality import CT_DISPLAY
from SAMLandmarkLib.review.words import detail_text
from SAMLandmarkLib.scene.point_display import show_names
from SAMLandmarkLib.session import Change, TransferSession

from .parameters import SAMLandmarkParameterNode

_WINDOWS = CT_DISPLAY.presets
_CHOOSE = 0


class ViewsStep(VTKObservationMixin):
    """Makes the views follow the parameters, and explains the point under the mouse."""

    def __init__(self, ui: Any, session: TransferSession) -> None:
        super().__init__()
        self._ui, self._session = ui, session
        self._names = True
        self._followed: list[Any] = []
        for text in (_("Choose"), _("Soft tissue"), _("Lung"), _("Bone")):
            ui.windowSelector.addItem(text)
        ui.windowSelector.activated.connect(self._windowChosen)
        ui.previousPageButton.clicked.connect(partial(self._turnPage, -1))
        ui.nextPageButton.clicked.connect(partial(self._turnPage, 1))
        self.updatePages()

    def update(self, parameters: SAMLandmarkParameterNode | None) -> None:
        """Show what the parameters ask for."""
        if parameters is None:
            return
        views = self._session.views
        if views.linking.on != parameters.linkedScrolling:
            views.linking.on = parameters.linkedScrolling
        if views.gray_levels.on != parameters.sameGrayLevels:
            views.gray_levels.on = parameters.sameGrayLevels
        views.one_at_a_time = parameters.oneAtATime
        views.names_of_all = self._names = parameters.pointNames
        self.followLists()

    def updatePages(self) -> None:
        """Offer the other pages, where there are any, and tell which follow-ups this one shows."""
        views = self._session.views
        first, last = views.follow_ups_of_page
        text = (
            _("{first} to {last} of {count} follow-ups")
            if last > first
            else _("follow-up {first} of {count}")
        )
        count = len(self._session.follow_ups)
        self._ui.pageLabel.setText(text.format(first=first, last=last, count=count))
        for widget in (self._ui.previousPageButton, self._ui.pageLabel, self._ui.nextPageButton):
            widget.setVisible(bool(views.shown) and views.pages > 1)

    def _turnPage(self, step: int, *_unused: Any) -> None:
        self._session.views.turn_page(step)
        self._session.notify(Change.VIEWS)

    def followLists(self) -> None:
        """Take up the lists of points that there are now."""
        lists = [scan.markups_node for scan in self._session.follow_ups] + [self._session.template_markups]
        # the first results change which names are shown
        results = bool(self._session.counts["total"])
        followed = [self._names, results, *(node.GetID() for node in lists if node is not None)]
        if followed == self._followed:
            return
        self._followed = followed
        self.removeObservers()
        for scan in self._session.follow_ups:
            self._followList(scan.markups_node, scan.key)
        self._followList(self._session.template_markups, None)

    def _followList(self, markups: Any, key: str | None) -> None:
        """Follow the points of a follow-up, or of the template for no key."""
        display = None if markups is None else markups.GetDisplayNode()
        if display is None:
            return
        # while there are no results nothing is under review whose name could be shown
        show_names(markups, self._names or (key is None and not self._session.counts["total"]))
        self.addObserver(display, display.JumpToPointEvent, partial(self._clicked, key))
        if key is not None:
            self.addObserver(display, vtk.vtkCommand.ModifiedEvent, partial(self._hovered, key))

    def close(self) -> None:
        """Stop to follow the points."""
        self.removeObservers()

    def pointText(self, key: str, display: Any) -> str:
        """What is known of the point under the mouse, "" where there is none."""
        item = self._session.item(key, _activeLabel(display))
        scan = next((scan for scan in self._session.follow_ups if scan.key == key), None)
        if item is None or scan is None:
            return ""
        outdated = self._session.is_outdated(key, item.label)
        relative = self._session.state.relative_displacement_mm(key, item.label)
        return str(detail_text(item, scan.title, outdated, relative, self._session.error_limit_mm(key)))

    def _hovered(self, key: str, display: Any, event: Any) -> None:
        if text := self.pointText(key, display):
            qt.QToolTip.showText(qt.QCursor.pos(), text)

    def _clicked(self, key: str | None, display: Any, event: Any) -> None:
        """Review the point that was clicked in a view of slices or in 3D; of the template's, the same on a follow-up."""
        label, key = _activeLabel(display), key or self._session.views.shown_follow_up
        if key is not None and self._session.item(key, label) is not None:
            self._session.select(key, label)

    def _windowChosen(self, index: int) -> None:
        if index != _CHOOSE:
            self._session.views.gray_levels.show(_WINDOWS[index - 1])
        # the user may change the gray levels by hand afterwards: no preset is true for long
        self._ui.windowSelector.setCurrentIndex(_CHOOSE)


def _activeLabel(display: Any) -> str:
    """The name of the point under the mouse, "" where there is none."""
    number, markups = display.GetActiveComponentIndex(), display.GetMarkupsNode()
    if display.GetActiveComponentType() != display.ComponentControlPoint or markups is None or number < 0:
        return ""
    return markups.GetNthControlPointLabel(number)
