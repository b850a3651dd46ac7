"""The keys of the review: the usual ones, and those that the user has chosen, kept in Slicer's settings."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import settingsValue

_SETTING = "SAMLandmark/Keys"
_USUAL = {
    "next_doubtful": "N",
    "next_undecided": "U",
    "previous": "Shift+N",
    "accept_and_go_on": "A",
    "reject": "R",
    "next_candidate": "C",
    "set_missing": "M",
    "put_under_mouse": "P",
    "next_scan": "Alt+Right",
    "previous_scan": "Alt+Left",
    "undo": "Ctrl+Z",
    "redo": "Ctrl+Y",
}
ACTIONS = tuple(_USUAL)


def keyOf(action: str) -> str:
    """The key of an action, "" for none."""
    return normalKey(settingsValue(f"{_SETTING}/{action}", _USUAL[action]))


def setKey(action: str, key: str) -> None:
    """Give an action another key, or none; an action that had this key has none then."""
    key = normalKey(key)
    for other in ACTIONS:
        if key and other != action and keyOf(other) == key:
            slicer.app.userSettings().setValue(f"{_SETTING}/{other}", "")
    slicer.app.userSettings().setValue(f"{_SETTING}/{action}", key)


def normalKey(text: str) -> str:
    """A key as Qt writes it, such as "Ctrl+Z"; "" where the text names none."""
    return str(qt.QKeySequence(text.strip()).toString())


def actionText(action: str) -> str:
    """What an action does, in a word or three."""
    texts = {
        "next_doubtful": _("Next doubtful"),
        "next_undecided": _("Next undecided"),
        "previous": _("Back"),
        "accept_and_go_on": _("Accept"),
        "reject": _("Reject"),
        "next_candidate": _("Next candidate"),
        "set_missing": _("Not on this scan"),
        "put_under_mouse": _("Put under the mouse"),
        "next_scan": _("Next scan"),
        "previous_scan": _("Previous scan"),
        "undo": _("Undo"),
        "redo": _("Redo"),
    }
    return texts[action]


def textWithKey(action: str) -> str:
    """What an action does, with its key in brackets."""
    key = keyOf(action)
    return _("{action} ({key})").format(action=actionText(action), key=key) if key else actionText(action)
