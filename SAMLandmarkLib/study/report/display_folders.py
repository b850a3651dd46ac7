"""The folders that a report keeps to itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..plan import PatientPlan


def folders_of(plans: Iterable[PatientPlan]) -> set[Path]:
    """The folders of all files that the plans of patients name."""
    plans = tuple(plans)
    templates = [template for plan in plans for template in plan.templates]
    scans = [*(scan for plan in plans for scan in plan.follow_ups), *(item.scan for item in templates)]
    atlases = [path for plan in plans if plan.protocol for path in plan.protocol.files]
    paths = [*(scan.path for scan in scans), *(template.landmarks for template in templates), *atlases]
    return {path.parent for path in paths}
