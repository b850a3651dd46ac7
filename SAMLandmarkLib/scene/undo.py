"""One step of undo for each thing a user does, through the scene's own undo.

The scene saves the nodes whose undo is enabled. It also *removes* such nodes when it goes back to a state that did not
hold them; therefore a node that existed before and joins later makes the earlier states invalid.
"""

from __future__ import annotations

from .mrml import Node, Scene

SAVED_STATES = 100


def prepare_undo(scene: Scene) -> None:
    """Turn the scene's undo on, with room for many steps."""
    scene.SetUndoOn()
    if scene.GetMaximumNumberOfSavedUndoStates() < SAVED_STATES:
        scene.SetMaximumNumberOfSavedUndoStates(SAVED_STATES)


def join_undo(node: Node) -> None:
    """Let an existing node take part in undo; what was done before can't be undone any more."""
    if not node.GetUndoEnabled():
        node.SetUndoEnabled(True)
        node.GetScene().ClearUndoStack()
        node.GetScene().ClearRedoStack()


class UndoStep:
    """One step of undo that may be written in several parts, as answers arrive.

    `saved`: the state before it was already saved, as Slicer does itself when a point is placed or dragged.
    """

    def __init__(self, scene: Scene, saved: bool = False) -> None:
        self._scene = scene
        self._level = scene.GetNumberOfUndoLevels() if saved else None

    def begin(self) -> None:
        """Save the scene's state, unless it was saved for this step and nothing else was saved since.

        When the scene's memory is full, its number of levels no longer tells, and the part becomes its own step.
        """
        level = self._scene.GetNumberOfUndoLevels()
        if level != self._level or level >= self._scene.GetMaximumNumberOfSavedUndoStates():
            self._scene.SaveStateForUndo()
            self._level = self._scene.GetNumberOfUndoLevels()
