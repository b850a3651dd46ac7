"""The pairs of landmarks between which a report measures."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from ..utils.errors import UsageError

Pair = tuple[str, str]
_NEAR_SHOWN, _NEAR_ENOUGH = 3, 0.5


def landmark_pairs(texts: Iterable[str], labels: Collection[str]) -> tuple[Pair, ...]:
    """The pairs that texts like "carina,left kidney" name, each once.

    A label may hold a comma itself. `labels` are those that the study has; where there are none yet every pair will
    do. Raises UsageError where a text is no pair or names an unknown label.

    >>> landmark_pairs(["nodule, left,carina"], ["carina", "nodule, left"])
    (('nodule, left', 'carina'),)
    """
    return tuple(dict.fromkeys(_pair(text, labels) for text in texts))


def _pair(text: str, labels: Collection[str]) -> Pair:
    parts = text.split(",")
    splits = [(",".join(parts[:cut]).strip(), ",".join(parts[cut:]).strip()) for cut in range(1, len(parts))]
    known = [pair for pair in splits if labels and set(pair) <= set(labels)]
    pair = next(iter(known or splits), None)
    if pair is None or not all(pair) or pair[0] == pair[1]:
        raise UsageError(
            f"'{text}' is no pair of landmarks; give two different labels with a comma between, such as 'carina,hilum'."
        )
    unknown = [label for label in pair if labels and label not in labels]
    if unknown:
        raise UsageError(" ".join(_unknown(label, labels) for label in unknown))
    return pair


def _unknown(label: str, labels: Collection[str]) -> str:
    folded = {known.casefold(): known for known in labels}
    matches = get_close_matches(label.casefold(), list(folded), _NEAR_SHOWN, _NEAR_ENOUGH)
    near = [folded[match] for match in matches]
    advice = f"did you mean {_quoted(near)}?" if near else f"there are {_quoted(sorted(labels)[:20])}."
    return f"The study has no landmark '{label}'; {advice}"


def _quoted(labels: Iterable[str]) -> str:
    return ", ".join(f"'{label}'" for label in labels)
