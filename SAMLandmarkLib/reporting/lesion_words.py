"""What the pages say of lesions: statuses, where a measure comes from, lengths."""

from __future__ import annotations

from ..core.lesions import Finding, Lesion, LesionStatus, Role, Source

STATUSES = {
    LesionStatus.PRESENT: "present",
    LesionStatus.TOO_SMALL: "too small to measure",
    LesionStatus.DISAPPEARED: "disappeared",
    LesionStatus.NEW: "new",
    LesionStatus.MERGED: "merged",
    LesionStatus.SPLIT: "split",
    LesionStatus.OUT_OF_VIEW: "not in the field of view",
    LesionStatus.UNCERTAIN: "uncertain",
}
SOURCES = {
    Source.HAND: "by hand",
    Source.IMAGE: "proposed, by the image",
    Source.CARRIED: "proposed, carried",
}
_ROLES = {Role.TARGET: "target", Role.NON_TARGET: "no target", Role.NEW: "new"}


def role_text(lesion: Lesion) -> str:
    """A lesion's role in words.

    >>> role_text(Lesion("T1", is_node=True))
    'target, node'
    """
    return f"{_ROLES[lesion.role]}, node" if lesion.is_node else _ROLES[lesion.role]


def status_text(finding: Finding) -> str:
    """What became of a lesion, in words.

    >>> status_text(Finding(LesionStatus.MERGED, merged_into="T2"))
    'merged into T2'
    """
    if finding.merged_into:
        return f"merged into {finding.merged_into}"
    if finding.split_from:
        return f"part of {finding.split_from}"
    return STATUSES[finding.status]


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
