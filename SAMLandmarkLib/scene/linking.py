"""Scrolling one scan scrolls the others by as much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from .layout import slice_nodes
from .mrml import Scene, SliceNode
from .observers import Observers
from .volumes import KEY_ATTRIBUTE

_STILL_MM = 1e-6


class LinkedScrolling:
    """Keeps the distance between the slices of all scans while the user scrolls through one of them.

    Slicer's own linking takes the same place in every scan, which is another part of the body where two scans count
    from different origins; here the slices that were shown together stay together.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._on = self._paused = False
        self._offsets: dict[str, float] = {}
        self._observers = Observers()

    @property
    def on(self) -> bool:
        """Whether the scans scroll together."""
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        self._on = on
        self.watch()

    def watch(self) -> None:
        """Go on from where the views are now, with the views that there are now."""
        self._observers.clear()
        views = slice_nodes(self._scene) if self._on else []
        self._offsets = {view.GetID(): view.GetSliceOffset() for view in views}
        for view in views:
            self._observers.add(view, "ModifiedEvent", partial(self._moved, view))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this lasts, views that move don't take the others with them."""
        was_paused, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = was_paused

    def _moved(self, view: SliceNode) -> None:
        before, now = self._offsets[view.GetID()], view.GetSliceOffset()
        self._offsets[view.GetID()] = now
        if self._paused or abs(now - before) < _STILL_MM:
            return
        with self.paused():
            for other in slice_nodes(self._scene):
                if _goes_along(other, view):
                    other.SetSliceOffset(other.GetSliceOffset() + now - before)


def _goes_along(other: SliceNode, view: SliceNode) -> bool:
    another_scan = other.GetAttribute(KEY_ATTRIBUTE) != view.GetAttribute(KEY_ATTRIBUTE)
    return another_scan and other.GetOrientation() == view.GetOrientation()
