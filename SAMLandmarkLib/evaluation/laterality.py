"""Left and right in landmark labels."""

from __future__ import annotations

_OTHER_SIDE = {"left": "right", "right": "left"}


def mirrored_label(label: str) -> str | None:
    """The label of the same structure on the other side, or None where the label names no single side.

    >>> [mirrored_label(label) for label in ("kidney_upper_pole_left", "left_renal_artery", "carina")]
    ['kidney_upper_pole_right', 'right_renal_artery', None]
    """
    words = label.split("_")
    sided = [index for index, word in enumerate(words) if word in _OTHER_SIDE]
    if len(sided) != 1:
        return None
    words[sided[0]] = _OTHER_SIDE[words[sided[0]]]
    return "_".join(words)
