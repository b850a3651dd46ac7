"""The transfer from the template to the follow-ups: whether it can be done, its requests and its answers."""

from __future__ import annotations

from collections.abc import Iterable

from ..review.order import next_undecided
from ..scene.points import label_problem, read_points
from ..utils.errors import UsageError
from ..utils.translation import _
from ..worker.messages import TransferReply, WorkerLocateRequest, WorkerRequest, WorkerTransferRequest
from .context import SessionContext
from .pending_transfers import PendingTransfer
from .protocols import protocol_argument
from .status import Change


class TransferControl:
    """Requests transfers and writes the landmarks that are found into the review."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._store, self._jobs, self._options = context.store, context.jobs, context.options
        self._jobs.owner = self

    @property
    def blocking_reason(self) -> str:
        """What keeps a transfer from being possible, in a sentence for the user; "" where nothing does."""
        if not self._store.protocol and (problem := self.template_problem):
            return problem
        if not self._jobs.follow_ups:
            return _("Choose at least one follow-up volume.")
        problems = [self._jobs.problem_of(scan) for scan in self._jobs.follow_ups]
        return problems[0] if all(problems) else ""

    @property
    def template_problem(self) -> str:
        """What is missing of the template and its landmarks, in a sentence for the user; "" where nothing is."""
        if self._jobs.template is None:
            return _("Choose the template volume.")
        if problem := self._jobs.problem_of(self._jobs.template):
            return problem
        if self._store.template_markups is None:
            return _("Choose or create the list of landmarks on the template.")
        points = read_points(self._store.template_markups, self._jobs.template.node)
        if not points:
            return _("Place at least one landmark on the template.")
        return label_problem(points)

    def transfer(self, again: bool = False) -> None:
        """See `TransferSession.transfer`."""
        if blocking_reason := self.blocking_reason:
            raise UsageError(blocking_reason)
        self._context.notices.clear_message()
        step = self._store.step()
        template, markups_node = self._jobs.template, self._store.template_markups
        if template is not None and markups_node is not None:
            points = read_points(markups_node, template.node)
            self._context.changes.take_template(points, self._options.who, step)
        self._jobs.embed(again=True)
        for scan in self._jobs.follow_ups:
            self._jobs.want(scan, self._store.labels, step, again, waited=True)
        self._jobs.send()
        self._context.notices.notify(Change.SCANS)

    def set_live(self, live: bool) -> None:
        """Switch live transfer on or off; what is missing or outdated is transferred when it comes on."""
        if live and not self._options.live and not self.blocking_reason:
            self._context.changes.transfer_outdated(self._store.step())
        self._options.live = live
        self._context.notices.notify(Change.STATUS)

    def set_use_corrections(self, use: bool) -> None:
        """Switch on or off that corrected landmarks help to find them in other follow-ups."""
        self._options.use_corrections = use
        self._context.notices.notify(Change.STATUS)

    def cancel(self) -> None:
        """Stop everything that runs; what is found already stays."""
        was_busy = self._jobs.busy
        self._jobs.stop()
        if was_busy:
            self._context.notices.notify_user(_("Canceled."))

    def _look_at_first(self) -> bool:
        """After a whole transfer: the landmark that needs the user's eyes most, unless one is under review."""
        viewing, state = self._context.viewing, self._store.state
        keys = [scan.key for scan in self._jobs.follow_ups]
        first = next_undecided(state, None, keys) if viewing.current is None else None
        if first is not None:
            viewing.select(*first)
        return first is not None

    # ---- see `jobs.JobOwner`

    def make_request(self, key: str, labels: Iterable[str]) -> WorkerRequest | None:
        """The request for those of the labels that the template still has, or for all of a protocol."""
        if self._store.protocol:
            return WorkerLocateRequest(key, protocol_argument(self._store.protocol))
        places = {point.label: point.position_lps for point in self._store.points}
        kept = [label for label in labels if label in places]
        template = self._jobs.template
        if template is None or not kept:
            return None
        extra = self._context.changes.corrections(key, kept) if self._options.use_corrections else ()
        points = template.to_worker([places[label] for label in kept])
        return WorkerTransferRequest(template.key, kept, points, key, extra)

    def take_answer(self, pending: PendingTransfer, reply: TransferReply) -> None:
        """Write the landmarks that were found, except those that the user has moved or removed meanwhile."""
        scan = self._jobs.scan(reply.target_key)
        items = self._context.changes.items(pending, reply)
        if scan is None or not items:
            return
        state = self._context.changes.with_result(scan, items, self._options.who, pending.again)
        self._store.commit(state, pending.step, [scan])
        self._store.remember_provenance(scan.key, reply.provenance)
        self._context.volumes.answered(self._jobs.template, scan)
        looked_at = self._context.viewing.found(scan, [item.label for item in items])
        if pending.waited and not self._jobs.transferring:
            looked_at = self._look_at_first() or looked_at
        self._context.notices.notify(Change.REVIEW, *([Change.SELECTION] if looked_at else []))
        remarks = (f"{scan.name}: {remark}" for remark in reply.remarks)
        self._context.notices.notify_user_if_any(" ".join((*remarks, *reply.notes)))
