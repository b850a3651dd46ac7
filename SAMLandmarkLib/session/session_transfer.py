"""The transfer from the template to the follow-ups."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError
from ..scene.points import label_problem, read_points
from ..translation import _
from ..worker import TransferReply, TransferRequest
from .scans import Scan
from .session_scans import SessionScans
from .status import Change, SessionStatus
from .transfers import Wish


class SessionTransfer(SessionScans):
    """The part of `TransferSession` that carries landmarks."""

    @property
    def obstacle(self) -> str:
        """What keeps a transfer from being possible, in a sentence for the user; "" where nothing does."""
        if self.template_volume is None:
            return _("Choose the template volume.")
        if self._markups is None:
            return _("Choose or create the list of landmarks on the template.")
        points = read_points(self._markups, self.template_volume)
        if not points:
            return _("Place at least one landmark on the template.")
        if problem := label_problem(points):
            return problem
        return "" if self._work.follow_ups else _("Choose at least one follow-up volume.")

    # ---- transfer

    def estimate_seconds(self) -> float | None:
        """Seconds that `transfer` would take now, None where it isn't possible."""
        return None if self.obstacle else self._work.estimate_seconds()

    def transfer(self, again: bool = False) -> None:
        """Carry all landmarks to all follow-ups, as one step of undo.

        What the user has decided stays, unless `again`. Raises UsageError with the obstacle where there is one.
        """
        if obstacle := self.obstacle:
            raise UsageError(obstacle)
        self.clear_message()
        step = self._board.step()
        self._follower.take_template(read_points(self._markups, self.template_volume), self.who, step)
        self._work.embed(again=True)
        for scan in self._work.follow_ups:
            self._work.want(scan, self.labels, step, again, waited=True)
        self._work.send()
        self._notify(Change.SCANS)

    @property
    def live(self) -> bool:
        """Whether every landmark placed or dragged on the template is carried to all follow-ups at once."""
        return self._live

    @live.setter
    def live(self, live: bool) -> None:
        if live and not self._live and not self.obstacle:
            self._follower.want_what_is_missing(self._board.step())
        self._live = live
        self._notify(Change.STATUS)

    @property
    def use_corrections(self) -> bool:
        """Whether landmarks that the user corrected in a follow-up help to find them in the others."""
        return self._use_corrections

    @use_corrections.setter
    def use_corrections(self, use: bool) -> None:
        self._use_corrections = use
        self._notify(Change.STATUS)

    def cancel(self) -> None:
        """Stop everything that runs; what is found already stays."""
        was_busy = self._work.busy
        self._work.stop()
        if was_busy:
            self.tell(_("Canceled."))

    @property
    def busy(self) -> bool:
        """Whether anything runs, be it in the background."""
        return self._work.busy

    @property
    def transferring(self) -> bool:
        """Whether something runs that the user waits for."""
        return self._work.transferring

    @property
    def status(self) -> SessionStatus:
        """What runs now."""
        return self._work.status

    # ---- what the work asks and tells; see `work.Owner`

    def make_request(self, key: str, labels: Iterable[str]) -> TransferRequest | None:
        """The request for those of the labels that the template still has."""
        places = {point.label: point.position_lps for point in self._board.points}
        kept = [label for label in labels if label in places]
        template = self._work.template
        if template is None or not kept:
            return None
        extra = self._follower.corrections(key, kept) if self._use_corrections else ()
        points = template.to_worker([places[label] for label in kept])
        return TransferRequest(template.key, kept, points, key, extra)

    def take_answer(self, wish: Wish, reply: TransferReply) -> None:
        """Write the landmarks that were found, except those that the user has moved or removed meanwhile."""
        scan = self._work.scan(reply.target_key)
        items = self._follower.items(wish, reply)
        if scan is None or not items:
            return
        state = self._board.state.with_result(scan.key, items, wish.again, self.who)
        self._board.commit(state, wish.step, [scan])
        self._board.remember_provenance(scan.key, reply.provenance)
        self._watch_nodes()
        looked_at = self._viewing.found(scan, [item.label for item in items])
        self._notify(Change.REVIEW, *([Change.SELECTION] if looked_at else []))
        self._tell_if(" ".join(reply.notes))

    def work_changed(self) -> None:
        """The status is another one."""
        self._notify(Change.STATUS)

    def scan_changed(self, scan: Scan) -> None:
        """A scan is ready, or can't be used."""
        self._notify(Change.SCANS)
