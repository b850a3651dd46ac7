"""Gray levels of several volumes: a preset for all, and what the user sets on one taken over by the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .mrml import Scene, VolumeNode
from .observers import Observers
from .volumes import show_window

if TYPE_CHECKING:
    from ..core.grey_windows import GreyWindow


class SharedGrayLevels:
    """Shows several volumes with the same gray levels while it is `on`; Hounsfield units mean the same in each."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._on = self._busy = False
        self._volumes: list[VolumeNode] = []
        self._observers = Observers()

    @property
    def on(self) -> bool:
        """Whether the gray levels of one are those of all."""
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        self._on = on
        self.watch(self._volumes)

    def watch(self, volumes: Sequence[VolumeNode]) -> None:
        """Go on with these volumes; the first one's gray levels become those of all."""
        self._observers.clear()
        self._volumes = list(volumes)
        shown = (
            [volume for volume in self._volumes if volume.GetDisplayNode() is not None] if self._on else []
        )
        for volume in shown:
            self._observers.add(volume.GetDisplayNode(), "ModifiedEvent", partial(self._changed, volume))
        if shown:
            self._changed(shown[0])

    def show(self, window: GreyWindow) -> None:
        """Show all volumes with a preset, whether `on` or not."""
        self._busy = True
        for volume in self._volumes:
            if volume.GetDisplayNode() is not None:
                show_window(volume, window)
        self._busy = False

    def _changed(self, volume: VolumeNode) -> None:
        display = volume.GetDisplayNode()
        if self._busy or display is None or self._scene.IsClosing():
            return
        self._busy = True
        for other in self._others(volume):
            other.GetDisplayNode().AutoWindowLevelOff()
            other.GetDisplayNode().SetWindowLevel(display.GetWindow(), display.GetLevel())
        self._busy = False

    def _others(self, volume: VolumeNode) -> Iterable[VolumeNode]:
        return (
            other for other in self._volumes if other is not volume and other.GetDisplayNode() is not None
        )
