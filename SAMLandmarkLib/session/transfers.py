"""What is to be transferred to which follow-up, one request a follow-up at a time.

While a request is on its way, later wishes for the same follow-up wait and are then sent together: when a landmark is
dragged faster than it can be found, only its last place is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..scene.undo import UndoStep
from ..worker import TransferReply, TransferRequest, WorkerClient, WorkerFailure


@dataclass(eq=False)
class Wish:
    """Labels to transfer to a follow-up, as part of one step of undo.

    `again`: also where the user has decided. `waited`: the user pressed a button and waits for it. `names`: the
    labels that were renamed since the request was sent, {requested: present}.
    """

    step: UndoStep
    again: bool = False
    waited: bool = False
    labels: dict[str, None] = field(default_factory=dict)
    request: TransferRequest | None = None
    names: dict[str, str] = field(default_factory=dict)


class Transfers:
    """Sends wishes to the worker and hands the answers on.

    `make_request(scan_key, labels)` gives the request for labels that still exist, or None; `on_answer(wish, reply)`,
    `on_failed(scan_key, failure)` and `on_progress(scan_key, step, fraction)` are called from the worker's `poll`.
    """

    def __init__(
        self,
        worker: WorkerClient,
        make_request: Callable[[str, Iterable[str]], TransferRequest | None],
        on_answer: Callable[[Wish, TransferReply], None],
        on_failed: Callable[[str, WorkerFailure], None],
        on_progress: Callable[[str, str, float], None],
    ) -> None:
        self.worker = worker
        self._make_request = make_request
        self._on_answer = on_answer
        self._on_failed = on_failed
        self._on_progress = on_progress
        self._wishes: dict[str, Wish] = {}
        self._flights: dict[str, Wish] = {}

    @property
    def running(self) -> bool:
        """Whether anything is to be transferred or on its way."""
        return bool(self._wishes or self._flights)

    @property
    def waited_for(self) -> int:
        """Number of follow-ups whose answer the user waits for."""
        waiting = (*self._wishes.items(), *self._flights.items())
        return len({key for key, wish in waiting if wish.waited})

    def want(
        self, key: str, labels: Iterable[str], step: UndoStep, again: bool = False, waited: bool = False
    ) -> None:
        """Transfer labels to the follow-up `key` as soon as its request on the way is answered."""
        wish = self._wishes.setdefault(key, Wish(step))
        wish.step = step
        wish.again, wish.waited = wish.again or again, wish.waited or waited
        wish.labels.update(dict.fromkeys(labels))

    def rename(self, names: dict[str, str]) -> None:
        """Landmarks have new names, {old: new}; answers on their way are meant for those as well."""
        for wish in self._wishes.values():
            wish.labels = {names.get(label, label): None for label in wish.labels}
        for wish in self._flights.values():
            present = {label: wish.names.get(label, label) for label in wish.request.labels}
            wish.names = {label: names.get(name, name) for label, name in present.items()}

    def send(self) -> None:
        """Send every wish whose follow-up has no request on the way."""
        for key in [key for key in self._wishes if key not in self._flights]:
            wish = self._wishes.pop(key)
            wish.request = self._make_request(key, wish.labels)
            if wish.request is not None:
                self._flights[key] = wish
                self._send(key, wish)

    def drop(self, key: str | None = None) -> None:
        """Forget the wishes for a follow-up (None: all), and don't listen to answers on their way."""
        for kept in (self._wishes, self._flights):
            for found in [found for found in kept if key in (None, found)]:
                del kept[found]

    def _send(self, key: str, wish: Wish) -> None:
        def done(reply: TransferReply) -> None:
            if self._landed(key, wish):
                self._on_answer(wish, reply)
                self.send()

        def failed(failure: WorkerFailure) -> None:
            if self._landed(key, wish):
                self._on_failed(key, failure)
                self.send()

        def progress(scan_key: str, step: str, fraction: float) -> None:
            if self._flights.get(key) is wish:
                self._on_progress(scan_key, step, fraction)

        self.worker.transfer(wish.request, done, failed, progress)

    def _landed(self, key: str, wish: Wish) -> bool:
        """Whether the answer to `wish` is still wanted."""
        if self._flights.get(key) is not wish:
            return False
        del self._flights[key]
        return True
