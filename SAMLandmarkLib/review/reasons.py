"""Why a landmark is not simply found, in the language of the user; results and files keep the engine's English."""

from __future__ import annotations

import re

from ..utils.translation import _

PLACED_BY_HAND = "placed by hand"


def reason_in_words(reason: str) -> str:
    """A reason as the engine or the session gives it, for its user; one that isn't known as it is.

    >>> reason_in_words("12 mm from where the surroundings place it")
    '12 mm from where the surroundings place it'
    """
    words = {
        "outside template": _("outside the template"),
        "outside field of view": _("outside the field of view"),
        "not defined in the template": _("not defined in the template"),
        "no consistent match": _("no consistent match"),
        "no consistent match: leads back {mm} mm beside the landmark": _(
            "no consistent match: leads back {mm} mm beside the landmark"
        ),
        "{mm} mm from where the surroundings place it": _("{mm} mm from where the surroundings place it"),
        "another place looks almost the same": _("another place looks almost the same"),
        "low similarity": _("low similarity"),
        "the scan hardly resembles the template": _("the scan hardly resembles the template"),
        "the templates disagree": _("the templates disagree"),
        "the scan does not show what the protocol is of": _("the scan does not show what the protocol is of"),
        PLACED_BY_HAND: _("placed by hand"),
    }
    number = re.search(r"\d+", reason)
    if number is None:
        return words.get(reason, reason)
    known = words.get(reason.replace(number.group(), "{mm}", 1))
    return reason if known is None else known.format(mm=number.group())
