"""Queue of transfers to follow-ups, with at most one request under way for each follow-up.

While a request is under way, later transfers to the same follow-up wait and are then sent together: when a landmark
is dragged faster than it can be found, only its last place is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..scene.undo import UndoStep
from ..worker.client import WorkerClient
from ..worker.messages import TransferReply, WorkerFailure, WorkerRequest


@dataclass(eq=False)
class PendingTransfer:
    """Labels to transfer to a follow-up, as part of one step of undo.

    `again`: also where the user has decided. `waited`: the user pressed a button and waits for it. `names`: the
    labels that were renamed since the request was sent, {requested: present}.
    """

    step: UndoStep
    again: bool = False
    waited: bool = False
    labels: dict[str, None] = field(default_factory=dict)
    request: WorkerRequest | None = None
    names: dict[str, str] = field(default_factory=dict)

    @property
    def requested_labels(self) -> Sequence[str]:
        """The labels that the request on its way asks for."""
        return () if self.request is None else self.request.labels


class Transfers:
    """Sends pending transfers to the worker and hands the answers on.

    `make_request(scan_key, labels)` gives the request for labels that still exist, or None. From the worker's `poll`
    are called: `on_answer(pending, reply)`, `on_failed(scan_key, failure)` and `on_progress(scan_key, step, fraction)`.
    """

    def __init__(
        self,
        worker: WorkerClient,
        make_request: Callable[[str, Iterable[str]], WorkerRequest | None],
        on_answer: Callable[[PendingTransfer, TransferReply], None],
        on_failed: Callable[[str, WorkerFailure], None],
        on_progress: Callable[[str, str, float], None],
    ) -> None:
        self.worker = worker
        self._make_request = make_request
        self._on_answer = on_answer
        self._on_failed = on_failed
        self._on_progress = on_progress
        self._queued: dict[str, PendingTransfer] = {}
        self._in_flight: dict[str, PendingTransfer] = {}

    @property
    def running(self) -> bool:
        """Whether anything is to be transferred or on its way."""
        return bool(self._queued or self._in_flight)

    @property
    def waited_for(self) -> int:
        """Number of follow-ups whose answer the user waits for."""
        waiting = (*self._queued.items(), *self._in_flight.items())
        return len({key for key, pending in waiting if pending.waited})

    def want(
        self, key: str, labels: Iterable[str], step: UndoStep, again: bool = False, waited: bool = False
    ) -> None:
        """Transfer labels to the follow-up `key` as soon as its request on the way is answered."""
        pending = self._queued.setdefault(key, PendingTransfer(step))
        pending.step = step
        pending.again, pending.waited = pending.again or again, pending.waited or waited
        pending.labels.update(dict.fromkeys(labels))

    def rename(self, names: dict[str, str]) -> None:
        """Landmarks have new names, {old: new}; answers on their way are meant for those as well."""
        for pending in self._queued.values():
            pending.labels = {names.get(label, label): None for label in pending.labels}
        for pending in self._in_flight.values():
            present = {label: pending.names.get(label, label) for label in pending.requested_labels}
            pending.names = {label: names.get(name, name) for label, name in present.items()}

    def send(self) -> None:
        """Send every pending whose follow-up has no request on the way."""
        for key in [key for key in self._queued if key not in self._in_flight]:
            pending = self._queued.pop(key)
            request = self._make_request(key, pending.labels)
            if request is not None:
                pending.request = request
                self._in_flight[key] = pending
                self._send(key, pending, request)

    def drop(self, key: str | None = None) -> None:
        """Forget the pending transfers for a follow-up (None: all), and don't listen to answers on their way."""
        for kept in (self._queued, self._in_flight):
            for found in [found for found in kept if key in (None, found)]:
                del kept[found]

    def _send(self, key: str, pending: PendingTransfer, request: WorkerRequest) -> None:
        def done(reply: TransferReply) -> None:
            if self._take_off(key, pending):
                self._on_answer(pending, reply)
                self.send()

        def failed(failure: WorkerFailure) -> None:
            if self._take_off(key, pending):
                self._on_failed(key, failure)
                self.send()

        def progress(scan_key: str, step: str, fraction: float) -> None:
            if self._in_flight.get(key) is pending:
                self._on_progress(scan_key, step, fraction)

        self.worker.transfer(request, done, failed, progress)

    def _take_off(self, key: str, pending: PendingTransfer) -> bool:
        """Take `pending` off the requests under way; False where its answer is no longer wanted."""
        if self._in_flight.get(key) is not pending:
            return False
        del self._in_flight[key]
        return True
