"""The log of what the user did in a review."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property

from ..core.results import Point


@dataclass(frozen=True)
class LogEntry:
    """One thing a user did: `when` (ISO 8601, UTC), where the landmark was and where it is now (LPS mm)."""

    when: str
    who: str
    scan: str
    label: str
    action: str
    before_lps: Point | None = None
    after_lps: Point | None = None

    @cached_property
    def text(self) -> str:
        """The entry as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)
