"""The few things used last, of many that cost time to make and memory to keep."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """Keeps at most `limit` values; one that is asked for again in time is not made again.

    >>> squares = RecentlyUsed[int, int](limit=2)
    >>> [squares.get(number, lambda: number**2) for number in (1, 2, 1, 3)], 1 in squares, 2 in squares
    ([1, 4, 1, 9], True, False)
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not at hand; then the one not used for longest may go."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        while len(self._values) > self.limit:
            self._values.popitem(last=False)
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values
