"""Observers of VTK objects that are all removed together."""

from __future__ import annotations

from collections.abc import Callable

from .mrml import VtkObject


class Observers:
    """What was observed through this object, so that nothing stays observed by mistake."""

    def __init__(self) -> None:
        self._tags: list[tuple[VtkObject, int]] = []

    def __len__(self) -> int:
        return len(self._tags)

    def add(self, observed: VtkObject, event: int | str, callback: Callable[[], None]) -> None:
        """Call `callback()` whenever `observed` invokes `event`."""
        self._tags.append((observed, observed.AddObserver(event, lambda caller, name: callback())))

    def clear(self) -> None:
        """Remove all observers."""
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags.clear()
