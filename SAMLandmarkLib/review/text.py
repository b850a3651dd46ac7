"""A review as JSON text, as it is kept in a scene and in an export."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core.results import TransferredLandmark
from ..utils.errors import ReviewError
from ..utils.translation import _
from .item import Decision, ReviewItem, point_or_none
from .log import LogEntry

_FORMAT, _VERSION = "samlandmark-review", 2
"""Version 1 (up to 0.3) knew no uncertainty and had candidates as pairs; it is read as well."""


Contents = tuple[tuple[str, ...], dict[str, dict[str, ReviewItem]], tuple[LogEntry, ...]]
"""The labels, the items of each scan by label, and the log of a review."""


def review_text(
    labels: Sequence[str], scans: Mapping[str, Iterable[ReviewItem]], log: Sequence[LogEntry]
) -> str:
    """See `ReviewState.to_json`."""
    written = {scan: _list(item.text for item in items) for scan, items in scans.items()}
    parts = {
        "format": _json(_FORMAT),
        "version": _json(_VERSION),
        "labels": _json(list(labels)),
        "scans": _object(written),
        "log": _list(entry.text for entry in log),
    }
    return _object(parts)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_json(name)}: {text}" for name, text in texts.items()) + "}"


def read_review_text(text: str) -> Contents:
    """See `ReviewState.from_json`."""
    try:
        document = json.loads(text)
        _check_version(document)
        return (
            tuple(str(label) for label in document["labels"]),
            {scan: _items(items) for scan, items in document["scans"].items()},
            tuple(_log_entry(entry) for entry in document["log"]),
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
    candidates = [_candidate(item) for item in values["candidates"]]
    answer = {**values, "position_lps": values["transferred_lps"], "candidates": candidates}
    return ReviewItem(
        answer=TransferredLandmark.from_document(answer),
        template_lps=point_or_none(values["template_lps"]),
        position_lps=point_or_none(values["position_lps"]),
        candidate_index=values["candidate_index"],
        decision=Decision(values["decision"]),
    )


def _candidate(stored: Any) -> dict[str, Any]:
    """The document of a candidate; version 1 of the format has pairs of a point and its similarity."""
    if isinstance(stored, dict):
        return stored
    position_lps, similarity = stored
    return {"position_lps": position_lps, "similarity": similarity}


def _log_entry(values: dict[str, Any]) -> LogEntry:
    points = {name: point_or_none(values[name]) for name in ("before_lps", "after_lps")}
    return LogEntry(**values | points)
