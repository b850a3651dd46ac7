"""What pages and panel say of lesions: statuses, where a measure comes from, lengths."""

from __future__ import annotations

from ..core.lesions import Finding, Lesion, LesionStatus, Role, Source
from ..utils.translation import _


def role_text(lesion: Lesion) -> str:
    """A lesion's role in words.

    >>> role_text(Lesion("T1", is_node=True))
    'target, node'
    """
    words = {Role.TARGET: _("target"), Role.NON_TARGET: _("no target"), Role.NEW: _("new")}
    role = words[lesion.role]
    return _("{role}, node").format(role=role) if lesion.is_node else role


def status_text(finding: Finding) -> str:
    """What became of a lesion, in words.

    >>> status_text(Finding(LesionStatus.MERGED, merged_into="T2"))
    'merged into T2'
    """
    if finding.merged_into:
        return _("merged into {lesion}").format(lesion=finding.merged_into)
    if finding.split_from:
        return _("part of {lesion}").format(lesion=finding.split_from)
    words = {
        LesionStatus.PRESENT: _("present"),
        LesionStatus.TOO_SMALL: _("too small to measure"),
        LesionStatus.DISAPPEARED: _("disappeared"),
        LesionStatus.NEW: _("new"),
        LesionStatus.MERGED: _("merged"),
        LesionStatus.SPLIT: _("split"),
        LesionStatus.OUT_OF_VIEW: _("not in the field of view"),
        LesionStatus.UNCERTAIN: _("uncertain"),
    }
    return words[finding.status]


def source_text(source: Source) -> str:
    """Where a measure comes from, in words.

    >>> source_text(Source.HAND)
    'by hand'
    """
    words = {
        Source.HAND: _("by hand"),
        Source.IMAGE: _("proposed, by the image"),
        Source.CARRIED: _("proposed, carried"),
    }
    return words[source]


def size_text(finding: Finding) -> str:
    """Both diameters in mm.

    >>> size_text(Finding(LesionStatus.PRESENT))
    '–'
    """
    lengths = [f"{item.length_mm:.1f}" for item in (finding.long, finding.short) if item is not None]
    return f"{' × '.join(lengths)} mm" if lengths else "–"


def percent_text(part: float | None) -> str:
    """A part in percent.

    >>> percent_text(0.7), percent_text(None)
    ('70 %', '–')
    """
    return "–" if part is None else f"{100 * part:.0f} %"
