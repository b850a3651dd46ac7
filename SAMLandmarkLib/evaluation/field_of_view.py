"""What becomes of points inside and outside a target's field of view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.transfer import Status
from .records import TransferRecord, View, errors_of
from .runs import SetRun


def field_of_view_figures(whole: SetRun, cropped: SetRun) -> dict[str, Any]:
    """Shares (0 to 1) of vanished points reported missing, and of visible points lost, over both runs.

    `mean_mm_whole` and `mean_mm_cropped` are the errors before and after cropping of the same points: those
    that are in view in both. NaN where there are no such points.
    """
    records = whole.records + cropped.records
    vanished, visible = (_statuses(records, view) for view in (View.VANISHED, View.VISIBLE))
    return {
        "vanished": len(vanished),
        "vanished_missing": _share(vanished, Status.MISSING),
        "vanished_found": _share(vanished, Status.FOUND),
        "visible": len(visible),
        "visible_missing": _share(visible, Status.MISSING),
    } | _cost_of_cropping(whole.records, cropped.records)


def _statuses(records: Sequence[TransferRecord], view: View) -> list[str]:
    return [record.status for record in records if record.truth.view is view]


def _share(statuses: Sequence[str], status: Status) -> float:
    return statuses.count(status.value) / len(statuses) if statuses else np.nan


def _cost_of_cropping(whole: Sequence[TransferRecord], cropped: Sequence[TransferRecord]) -> dict[str, Any]:
    before, after = (
        {
            (record.template, record.truth.label): record
            for record in records
            if record.truth.view is View.VISIBLE
        }
        for records in (whole, cropped)
    )
    both = [key for key in after if key in before]
    return {
        "in_view_in_both": len(both),
        "mean_mm_whole": _mean_error([before[key] for key in both]),
        "mean_mm_cropped": _mean_error([after[key] for key in both]),
    }


def _mean_error(records: Sequence[TransferRecord]) -> float:
    errors = errors_of(records)
    placed = errors[np.isfinite(errors)]
    return float(placed.mean()) if placed.size else np.nan
