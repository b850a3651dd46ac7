"""The part of the page with the views, as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from trame.widgets import html, rca

from ..scene.layout import ScanViews

# What lies left, right, above and below of a view, as radiologists look at slices.
_SIDES = {
    "Axial": ("R", "L", "A", "P"),
    "Coronal": ("R", "L", "S", "I"),
    "Sagittal": ("A", "P", "S", "I"),
}
_SIDE_CLASSES = ("left", "right", "top", "bottom")
_MOST_IN_A_ROW = 2


def build_grid(
    scans: Sequence[tuple[ScanViews, Sequence[str]]], orientations: Sequence[str], has_template: bool
) -> None:
    """Build the views of the scans at the present place of the page; the first scan is the template, if there is one."""
    with html.Div(classes="sl-views"):
        if not scans:
            html.Div("{{ welcome }}", classes="sl-welcome")
            return
        follow_ups = scans[int(has_template) :]
        if has_template:
            _scan(*scans[0], orientations, "sl-title sl-template")
        columns = len(follow_ups) if len(orientations) > 1 else min(len(follow_ups), _MOST_IN_A_ROW)
        if follow_ups:
            style = f"grid-template-columns: repeat({columns}, 1fr); flex-grow: {columns}"
            with html.Div(classes="sl-follow-ups", style=style):
                for scan, names in follow_ups:
                    _scan(scan, names, orientations)
        else:
            html.Div("{{ welcome }}", classes="sl-welcome")


def _scan(
    scan: ScanViews, names: Sequence[str], orientations: Sequence[str], title: str = "sl-title"
) -> None:
    with html.Div(classes="sl-scan"):
        with html.Div(classes=title):
            html.Span(f"{{{{ titles['{scan.key}']?.role }}}}", classes="sl-role")
            html.Span(f"{{{{ titles['{scan.key}']?.date }}}}", classes="sl-date")
            html.Span(f"{{{{ titles['{scan.key}']?.name }}}}", classes="sl-name")
        for name, orientation in zip(names, orientations, strict=True):
            _view(name, orientation)


def _view(name: str, orientation: str) -> None:
    with html.Div(classes="sl-view", id=name):
        rca.RemoteControlledArea(
            name=name,
            display="image",
            style="position: absolute; inset: 0; width: 100%; height: 100%",
            send_mouse_move=True,
            event_throttle_ms=10,
        )
        for side, letter in zip(_SIDE_CLASSES, _SIDES[orientation], strict=True):
            html.Span(letter, classes=f"sl-side sl-{side}")
        html.Span(f"{orientation} {{{{ offsets.{name} }}}}", classes="sl-offset")
