"""Functions that run in a thread, and tell what came of it on the thread that polls."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..utils.failures import describe_exception

_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class BackgroundCalls:
    """Runs functions that touch no scene, such as readers of files."""

    def __init__(self) -> None:
        self._ended: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def start(
        self,
        function: Callable[[], Result],
        on_done: Callable[[Result], None],
        on_failed: Callable[[str], None],
    ) -> None:
        """Run a function; from `poll` one is called: `on_done(result)`, or `on_failed(sentence)` where it raised."""

        def run() -> None:
            try:
                result = function()
            except Exception as error:
                _LOG.debug("background call", exc_info=True)
                sentence: Any = describe_exception(error)[1]
                self._ended.put(lambda: on_failed(sentence))
            else:
                self._ended.put(lambda: on_done(result))

        threading.Thread(target=run, daemon=True).start()

    def poll(self) -> None:
        """Tell what has ended."""
        while not self._ended.empty():
            self._ended.get()()
