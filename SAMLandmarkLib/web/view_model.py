"""What the page shows of a session, in types of JSON."""

from __future__ import annotations

from typing import Any

from ..review.words import TEXT_COLOR, cell_color, cell_text, detail_text, summary_text
from ..scene.studies import study_date
from ..scene.volumes import scan_key
from ..session import Activity, ScanColumn, TransferSession
from ..session.estimate import duration_in_words
from ..session.review_actions import ReviewActions
from ..utils.translation import _


def titles(session: TransferSession) -> dict[str, dict[str, str]]:
    """Role, study date and name of each scan, by its key: not every scan has a place on the page."""
    template, follow_ups = session.template_volume, session.follow_ups
    if template is None and not session.protocol:
        return {}
    one, several = (
        (_("Scan"), _("Scan {number}")) if session.protocol else (_("Follow-up"), _("Follow-up {number}"))
    )
    roles = [several.format(number=number) for number in range(1, len(follow_ups) + 1)]
    if len(follow_ups) == 1:
        roles = [one]
    shown = {}
    if template is not None:
        about = {"role": _("Template"), "date": study_date(template) or "", "name": template.GetName()}
        shown[scan_key(template)] = about
    return shown | {
        scan.key: {"role": role, "date": scan.date or "", "name": scan.name}
        for role, scan in zip(roles, follow_ups, strict=True)
    }


def welcome(session: TransferSession) -> str:
    """What to do first, where views are missing."""
    if session.protocol:
        return _("Open a scan as a follow-up: the named landmarks appear on it.")
    if session.template_volume is None:
        return _("Open a template scan and a follow-up to begin.")
    return _("Open a follow-up: the points of the template appear on it.")


def table(session: TransferSession) -> dict[str, Any]:
    """The review table: a column for each follow-up, a row for each landmark."""
    columns = session.follow_ups
    heads = [
        {"key": scan.key, "title": scan.title, "name": scan.name, "problem": scan.message} for scan in columns
    ]
    rows = [
        {"label": label, "cells": [_cell(session, scan, label) for scan in columns]}
        for label in session.labels
    ]
    return {"columns": heads, "rows": rows, "summary": summary_text(session.counts)}


def _cell(session: TransferSession, scan: ScanColumn, label: str) -> dict[str, Any]:
    item = session.item(scan.key, label)
    current = session.current == (scan.key, label)
    if item is None:
        return {"key": scan.key, "lines": [], "current": current}
    outdated = session.is_outdated(scan.key, label)
    relative = session.state.relative_displacement_mm(scan.key, label)
    return {
        "key": scan.key,
        "lines": cell_text(item, outdated).split("\n"),
        "hint": detail_text(item, scan.title, outdated, relative, session.error_limit_mm(scan.key)),
        "style": f"background: {cell_color(item, outdated)}; color: {TEXT_COLOR}",
        "current": current,
        "status": item.status,
        "decision": item.decision.value,
        "confidence": round(item.confidence, 4),
        "position_lps": None
        if item.position_lps is None
        else [round(value, 3) for value in item.position_lps],
    }


def current(session: TransferSession, actions: ReviewActions) -> dict[str, Any]:
    """The landmark under review, and what can be done with it."""
    return {
        "details": actions.details(),
        "label": "" if session.current is None else session.current[1],
        "blocking_reasons": actions.blocking_reasons(),
        "heat_map": session.heat_map_shown,
    }


def status(session: TransferSession) -> dict[str, Any]:
    """What runs, how far it is, and what keeps a transfer from being possible."""
    now = session.status
    blocking_reason = session.blocking_reason
    waits = now.activity is not Activity.IDLE
    if not waits and session.registrations.running:
        return _registration_status(session)
    seconds = None if blocking_reason or waits else session.estimate_seconds()
    return {
        "busy": waits,
        "waited": session.transferring,
        "text": now.text if waits else "",
        "percent": round(100 * now.fraction),
        "blocking_reason": blocking_reason,
        "estimate": "" if seconds is None else duration_in_words(seconds),
    }


def _registration_status(session: TransferSession) -> dict[str, Any]:
    return {
        "busy": True,
        "waited": True,
        "text": session.registrations.text(session.views.shown_follow_up or ""),
        "percent": round(100 * session.registrations.fraction),
        "blocking_reason": "",
        "estimate": "",
    }
