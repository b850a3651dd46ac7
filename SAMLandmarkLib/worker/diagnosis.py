"""Whether everything works here, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Diagnosis:
    """Whether the worker works: one sentence that says so, or what is wrong and what to do; details for a report."""

    ok: bool
    sentence: str
    details: dict = field(default_factory=dict)
