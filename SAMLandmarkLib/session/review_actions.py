"""What a user can do in the review, by name and by key, and why it can't be done now."""

from __future__ import annotations

from collections.abc import Callable

from ..review import Decision, ReviewItem
from ..review.words import detail_text
from ..scene.cursor import place_under_cursor
from ..utils.translation import _
from .transfer_session import TransferSession

REVIEW_KEYS = {
    "N": "next_doubtful",
    "A": "accept",
    "R": "reject",
    "C": "next_candidate",
    "M": "set_missing",
    "P": "put_under_mouse",
    "Ctrl+Z": "undo",
    "Ctrl+Y": "redo",
}
"""The key of each action that has one."""


class ReviewActions:
    """The actions of the review; each is one step of undo."""

    def __init__(self, session: TransferSession) -> None:
        self._session = session
        self._actions: dict[str, Callable[[], object]] = {
            "next_doubtful": session.next_doubtful,
            "next_undecided": session.decisions.next_undecided,
            "previous": session.decisions.previous,
            "accept_and_go_on": session.decisions.accept_and_go_on,
            "next_scan": lambda: session.decisions.other_scan(1),
            "previous_scan": lambda: session.decisions.other_scan(-1),
            "accept": session.accept,
            "reject": session.reject,
            "next_candidate": session.next_candidate,
            "set_missing": session.set_missing,
            "put_under_mouse": self._put_under_mouse,
            "reopen": session.reopen,
            "undo": session.undo,
            "redo": session.redo,
        }

    def do(self, name: str) -> None:
        """Carry an action out, unless something keeps it from being possible; KeyError for an unknown name."""
        action = self._actions[name]
        if not self.blocking_reasons()[name]:
            action()

    def blocking_reasons(self) -> dict[str, str]:
        """What keeps each action from being possible now, in a sentence; "" where nothing does.

        "heat_map" and "corrections" stand for the heat map and for the use of corrections.
        """
        session = self._session
        nothing = "" if session.counts["total"] else _("Transfer the points first.")
        no_template = _("Named landmarks have no template to compare with.") if session.protocol else ""
        item, nowhere, single, undecided = self._current_item(), "", "", ""
        if item is not None:
            nowhere = "" if item.position_lps else _without_position(item)
            single = "" if item.has_other_candidate else _("No other place looks like this point.")
            undecided = _("You have not decided about it yet.") if item.decision is Decision.OPEN else ""
        unchosen = nothing or ("" if item else _("Click a result in the table first."))
        return {
            **dict.fromkeys(("next_doubtful", "next_undecided", "previous", "accept_found"), nothing),
            **dict.fromkeys(("next_scan", "previous_scan"), nothing),
            "accept_and_go_on": unchosen or nowhere,
            "accept": unchosen or nowhere,
            "reject": unchosen or nowhere,
            "next_candidate": unchosen or single,
            "set_missing": unchosen,
            "put_under_mouse": unchosen,
            "reopen": unchosen or undecided,
            "heat_map": no_template or unchosen,
            "corrections": no_template or nothing,
            "undo": "" if session.can_undo else _("There is nothing to undo."),
            "redo": "" if session.can_redo else _("There is nothing to redo."),
        }

    def details(self) -> str:
        """Everything about the current landmark in sentences, or what to do to see it."""
        current, item = self._session.current, self._current_item()
        if current is None or item is None:
            empty = not self._session.counts["total"]
            return _("The results appear here.") if empty else _("Click a result: both scans go there.")
        titles = {scan.key: scan.title for scan in self._session.follow_ups}
        relative = self._session.state.relative_displacement_mm(*current)
        outdated, limit_mm = self._session.is_outdated(*current), self._session.error_limit_mm(current[0])
        return detail_text(item, titles.get(current[0], ""), outdated, relative, limit_mm)

    def _current_item(self) -> ReviewItem | None:
        return None if self._session.current is None else self._session.item(*self._session.current)

    def _put_under_mouse(self) -> None:
        """Put the current point where the mouse is in its scan, also one that was not found: a correction."""
        if self._session.current is None:
            return
        key, label = self._session.current
        scan = next(scan for scan in self._session.follow_ups if scan.key == key)
        place = place_under_cursor(scan.volume_node)
        if place is None:
            text = _("Hold the mouse over the place on {scan}, then press P.")
            self._session.notify_user(text.format(scan=scan.title))
        else:
            self._session.correct(key, label, place)


def _without_position(item: ReviewItem) -> str:
    if item.has_other_candidate:
        return _(
            "This point has no position here: C shows the best guess, P puts it where the mouse is, M says that it is "
            "not on this scan."
        )
    return _(
        "This point has no position here: P puts it where the mouse is, M says that it is not on this scan."
    )
