"""All frames of a 4D volume as follow-ups, offered as soon as the scene holds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from SAMLandmarkLib.scene.sequences import frame_volumes, shown_frame, volume_sequences

from .parameters import SAMLandmarkParameterNode


class FramesChoice:
    """A selector of the scene's 4D volumes and a button; `parameters()` are those to change, None while there are none."""

    def __init__(self, ui: Any, parameters: Callable[[], SAMLandmarkParameterNode | None]) -> None:
        self._ui, self._parameters = ui, parameters
        self._shown: list[tuple[str, str]] | None = None
        ui.framesButton.clicked.connect(self._addFrames)
        self.update()

    def update(self) -> None:
        """Show the 4D volumes that there are now."""
        sequences = [(node.GetID(), node.GetName()) for node in volume_sequences(slicer.mrmlScene)]
        if sequences == self._shown:
            return
        self._shown = sequences
        self._ui.sequenceSelector.clear()
        for nodeID, name in sequences:
            self._ui.sequenceSelector.addItem(name, nodeID)
        for widget in (self._ui.sequenceSelector, self._ui.framesButton):
            widget.setVisible(bool(sequences))

    def _addFrames(self, *_unused: Any) -> None:
        """Tick every frame; where the template shows one of them, that frame for itself becomes the template.

        A template that changes when somebody plays the sequence would take its points to other places of the anatomy.
        """
        parameters = self._parameters()
        sequence = slicer.mrmlScene.GetNodeByID(self._ui.sequenceSelector.currentData or "")
        if parameters is None or sequence is None:
            return
        template, frames = parameters.templateVolume, frame_volumes(sequence)
        number = shown_frame(sequence, template)
        followUps = [node for node in (*parameters.followUps, *frames) if node is not None]
        with slicer.util.NodeModify(parameters.parameterNode):
            if number is not None:
                parameters.templateVolume = template = frames[number]
            parameters.followUps = [node for node in dict.fromkeys(followUps) if node is not template]
