"""Step 1: the template with its points, or named landmarks without one, and the follow-ups."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from SAMLandmarkLib.scene.points import create_points, number_if_new
from SAMLandmarkLib.session import TransferSession

from .follow_up_list import FollowUpList
from .frames_choice import FramesChoice
from .parameters import SAMLandmarkParameterNode
from .placing import PlaceButton
from .source_choice import SourceChoice
from .widget_help import WidgetHelp


class TemplateStep:
    """Shows the chosen template, points and follow-ups, and starts and ends the placing of points."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._parameters: SAMLandmarkParameterNode | None = None
        self._hidden: list[str] = []
        self._placer = ui.pointsList.markupsPlaceWidget()
        # the button with words does what the icons of this widget do
        self._placer.setVisible(False)
        self._placing = PlaceButton(ui.placeButton, self._placer, session)
        self._source = SourceChoice(ui, self._sourceChosen)
        self._frames = FramesChoice(ui, lambda: self._parameters)
        self._followUps = FollowUpList(ui.followUpList, self._ticked, self._frames.update)
        ui.placeButton.toggled.connect(self._placeToggled)

    def setParameterNode(self, parameters: SAMLandmarkParameterNode | None) -> None:
        """Show other parameters, or none while a scene is closing."""
        self._parameters = parameters
        if parameters is None:
            self.stopPlacing()
        self.update()

    def update(self) -> None:
        """Show what the parameters say now."""
        parameters = self._parameters
        protocol = parameters.protocol if parameters else ""
        self._source.show(protocol)
        template = parameters.templateVolume if parameters and not protocol else None
        points = parameters.templatePoints if parameters else None
        if points is not None:
            # a list that the selector has just made; the signal that tells so is missing in Slicer 5.10
            number_if_new(points)
        self._ui.pointsList.setCurrentNode(points)
        self._placer.setCurrentNode(points)
        self._followUps.show(template, parameters.followUps if parameters else [])
        self._hints.enable(self._ui.placeButton, "" if template else _("Choose the template first."))
        self._hints.enable(self._ui.pointsList, "" if points else _("There are no points yet: place some."))

    def updateNames(self) -> None:
        """Follow new names and dates of the volumes."""
        self._followUps.fillIfChanged()

    def hideResults(self) -> None:
        """Leave the lists of the follow-ups out of the selector: they are results and no templates."""
        lists = [scan.markups_node for scan in self._session.follow_ups]
        chosen = self._ui.pointsSelector.currentNode()
        results = [node.GetID() for node in lists if node is not None and node is not chosen]
        if results != self._hidden:
            self._hidden = results
            for selector in (self._ui.pointsSelector, self._ui.lesionPointsSelector):
                selector.sortFilterProxyModel().hiddenNodeIDs = results

    def stopPlacing(self) -> None:
        """End the placing of points."""
        self._placing.stop()

    def close(self) -> None:
        """Stop to follow the scene."""
        self._placing.close()
        self._followUps.close()

    def _sourceChosen(self, protocol: str) -> None:
        self.stopPlacing()
        if self._parameters is not None:
            self._parameters.protocol = protocol

    def _ticked(self) -> None:
        if self._parameters is not None:
            self._parameters.followUps = self._followUps.tickedVolumes()

    def _placeToggled(self, checked: bool) -> None:
        if checked and self._parameters is not None and self._parameters.templatePoints is None:
            self._parameters.templatePoints = create_points(slicer.mrmlScene)
            self.update()
        if checked:
            self._placing.start()
        else:
            self._placing.stop()
