"""What the user decides about landmarks of follow-ups, each decision one step of undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..review import ReviewState, next_doubtful
from ..review.order import next_undecided, previous
from ..utils.translation import _
from .context import SessionContext
from .status import Change

Operation = Callable[..., ReviewState]
"""An operation of `ReviewState` on one landmark: `(state, scan_key, label, *values, who=...)`."""


class ReviewDecisions:
    """Moves through the landmarks and writes what the user decides about them."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._store, self._jobs, self._viewing = context.store, context.jobs, context.viewing

    def select(self, scan_key: str, label: str) -> None:
        """Review a landmark in a follow-up: template and follow-up look at it."""
        self._viewing.select(scan_key, label)
        self._context.notices.notify(Change.SELECTION)

    def next_doubtful(self) -> bool:
        """See `TransferSession.next_doubtful`."""
        found = next_doubtful(self._store.state, self._viewing.current, self._scan_keys())
        if found is None:
            self._context.notices.notify_user(_("Nothing doubtful is left to review."))
            return False
        self.select(*found)
        return True

    def next_undecided(self) -> bool:
        """Go to the next landmark that nobody has decided, the doubtful first; False where there is none."""
        found = next_undecided(self._store.state, self._viewing.current, self._scan_keys())
        if found is None:
            self._context.notices.notify_user(_("Every result is decided."))
            return False
        self.select(*found)
        return True

    def previous(self) -> bool:
        """Go back to the landmark before, decided or not; False where there are no results."""
        found = previous(self._store.state, self._viewing.current, self._scan_keys())
        if found is not None:
            self.select(*found)
        return found is not None

    def accept_and_go_on(self) -> None:
        """The current landmark is right; go to the next that nobody has decided."""
        self.decide(ReviewState.accept, None, None)
        if self._viewing.current is not None:
            self.next_undecided()

    def accept_found(self, least: float) -> int:
        """Accept all that was found with a confidence of `least` (0 to 1) or more, as one step of undo; their number.

        Outdated landmarks are not accepted.
        """
        state = before = self._store.state
        for scan in self._jobs.follow_ups:
            labels = [x for x in state.items(scan.key) if not self._context.changes.is_outdated(scan.key, x)]
            state = state.accept_found(scan.key, labels, least, self._context.options.who)
        if state is not before:
            changed = [
                scan
                for scan in self._jobs.follow_ups
                if state.scans.get(scan.key) is not before.scans.get(scan.key)
            ]
            self._store.commit(state, self._store.step(), changed)
            self._context.notices.notify(Change.REVIEW)
        return len(state.log) - len(before.log)

    def other_scan(self, step: int) -> bool:
        """Look at the current landmark in the next (1) or previous (-1) follow-up; False where there is none."""
        keys = self._scan_keys()
        label = self._viewing.current[1] if self._viewing.current else next(iter(self._store.labels), None)
        if not keys or label is None:
            return False
        shown = self._viewing.shown_follow_up
        place = keys.index(shown) if shown in keys else -1 if step > 0 else 0
        self.select(keys[(place + step) % len(keys)], label)
        return True

    def _scan_keys(self) -> list[str]:
        return [scan.key for scan in self._jobs.follow_ups]

    def decide(self, operation: Operation, scan_key: str | None, label: str | None, *values: object) -> None:
        """Apply an operation of `ReviewState` to a landmark, the current one by default."""
        key = self._chosen(scan_key, label)
        scan = None if key is None else self._jobs.scan(key[0])
        if key is None or scan is None or self._store.state.item(*key) is None:
            self.ask_to_select()
            return
        state = operation(self._store.state, *key, *values, who=self._context.options.who)
        if state is not self._store.state:
            self._store.commit(state, self._store.step(), [scan])
            self._viewing.mark_current()
            self._context.notices.notify(Change.REVIEW)

    def reopen(self, scan_key: str | None, label: str | None) -> None:
        """Back to what the engine answered."""
        self.decide(ReviewState.reopen, scan_key, label)
        self._viewing.look_at_current()

    def next_candidate(self, scan_key: str | None, label: str | None) -> None:
        """Move the landmark to the next place that looks alike."""
        before, chosen = self._store.state, self._chosen(scan_key, label)
        self.decide(ReviewState.next_candidate, scan_key, label)
        if chosen is not None and self._store.state is before:
            text = _("There is no other candidate for '{label}'.")
            self._context.notices.notify_user(text.format(label=chosen[1]))
        self._viewing.look_at_current()

    def correct(self, scan_key: str, label: str, position_lps: Sequence[float]) -> None:
        """The landmark is at `position_lps` (LPS mm, the follow-up's own frame), as if it was dragged there."""
        self.decide(ReviewState.correct, scan_key, label, position_lps)
        scan = self._jobs.scan(scan_key)
        if self._context.options.use_corrections and scan is not None:
            self._context.changes.search_with_corrections(scan, [label], self._store.step())

    def show_heat_map(self, scan_key: str | None, label: str | None) -> None:
        """Lay the similarity to a landmark over a follow-up."""
        key = self._chosen(scan_key, label)
        if key is None or not self._viewing.show_heat_map(*key):
            self.ask_to_select()

    def ask_to_select(self) -> None:
        """Tell the user that no landmark is selected."""
        self._context.notices.notify_user(_("Select a landmark of a follow-up in the table first."))

    def _chosen(self, scan_key: str | None, label: str | None) -> tuple[str, str] | None:
        return self._viewing.current if scan_key is None or label is None else (scan_key, label)
