"""The variables of the page, with their values before anything has happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..session.protocols import AUTOMATIC, SUFFIX
from ..session.review_actions import REVIEW_KEYS

ALL_ORIENTATIONS = "All"


def sources(protocols: Iterable[str]) -> list[dict[str, str]]:
    """What can be found on the scans, for the selector: a template's points, and protocols by the names of the page."""
    texts = {"": "Points on a template", AUTOMATIC: "Named landmarks: whichever fit the scan"}
    named = {name: f"Named landmarks: {name.removesuffix(SUFFIX)}" for name in protocols}
    return [{"title": texts.get(name, named[name]), "value": name} for name in named]


def initial_state(windows: Sequence[str]) -> dict[str, Any]:
    """The variables by name; `windows` are the names of the gray-level windows, the usual one first."""
    return {
        "trame__title": "SAMLandmark",
        "review_keys": list(REVIEW_KEYS),
        "orientation": "Axial",
        "window": windows[0],
        "linked": False,
        "only": None,
        "heat_map": False,
        "registered": False,
        "corrections": False,
        "protocol": "",
        "sources": [],
        "placing": False,
        "can_place": False,
        "titles": {},
        "offsets": {},
        "table": {"columns": [], "rows": [], "summary": ""},
        "current": {"details": "", "label": "", "blocking_reasons": {}, "heat_map": False},
        "status": {
            "busy": False, "waited": False, "text": "", "percent": 0, "blocking_reason": "", "estimate": "",
        },
        "message": "",
        "upload_percent": 0,
        "upload_limit": 0,
        "renaming": "",
        "new_name": "",
        "welcome": "",
    }  # fmt: skip
