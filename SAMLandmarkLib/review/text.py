"""A review as JSON text, as it is kept in a scene and in an export."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..errors import ReviewError
from ..translation import _
from .item import Decision, ReviewItem, point_or_none
from .state import LogEntry, ReviewState

_FORMAT, _VERSION = "samlandmark-review", 1


def state_to_json(state: ReviewState) -> str:
    """See `ReviewState.to_json`."""
    return json.dumps(
        {
            "format": _FORMAT,
            "version": _VERSION,
            "labels": state.labels,
            "scans": {scan: [asdict(item) for item in state.items(scan).values()] for scan in state.scans},
            "log": [asdict(entry) for entry in state.log],
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def state_from_json(text: str) -> ReviewState:
    """See `ReviewState.from_json`."""
    try:
        document = json.loads(text)
        _check_version(document)
        return ReviewState(
            labels=tuple(str(label) for label in document["labels"]),
            scans={scan: _items(items) for scan, items in document["scans"].items()},
            log=tuple(_log_entry(entry) for entry in document["log"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        unreadable = _(
            "The review that was saved with the scene can't be read ({kind}: {error}); transfer again. "
            "The markups themselves are not affected."
        )
        raise ReviewError(unreadable.format(kind=type(error).__name__, error=str(error))) from error


def _check_version(document: dict[str, Any]) -> None:
    if document["format"] != _FORMAT:
        other = _("This is no review of SAMLandmark, but '{format}'; give the right text.")
        raise ReviewError(other.format(format=document["format"]))
    if document["version"] > _VERSION:
        newer = _(
            "The review was saved by a newer SAMLandmark (version {version} of the format, here {known}); "
            "update the extension."
        )
        raise ReviewError(newer.format(version=document["version"], known=_VERSION))


def _items(items: list[dict[str, Any]]) -> dict[str, ReviewItem]:
    return {item["label"]: _item(item) for item in items}


def _item(values: dict[str, Any]) -> ReviewItem:
    points = ("template_lps", "transferred_lps", "position_lps")
    candidates = tuple((point_or_none(point), float(score)) for point, score in values["candidates"])
    return ReviewItem(
        **values
        | {name: point_or_none(values[name]) for name in points}
        | {"candidates": candidates, "decision": Decision(values["decision"])}
    )


def _log_entry(values: dict[str, Any]) -> LogEntry:
    points = {name: point_or_none(values[name]) for name in ("before_lps", "after_lps")}
    return LogEntry(**values | points)
