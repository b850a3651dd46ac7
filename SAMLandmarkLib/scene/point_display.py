"""How lists of points are drawn: hiding as little of the anatomy as possible, and only in the views that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from .mrml import MarkupsDisplayNode, MarkupsNode


def draw_finely(display: MarkupsDisplayNode) -> None:
    """Let points hide as little of the anatomy as possible; `display` is the display node of a point list."""
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetGlyphScale(2.5)
    display.SetTextScale(2.5)
    display.SetPropertiesLabelVisibility(False)


def draw_line_finely(display: MarkupsDisplayNode, labeled: bool = True) -> None:
    """The same for a line; `labeled`: it shows its name and length."""
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetGlyphScale(2.0)
    display.SetTextScale(2.5)
    display.SetPropertiesLabelVisibility(labeled)


def draw_finely_if_plain(markups_node: MarkupsNode) -> None:
    """Draw a list finely that still looks as Slicer draws every list; what its user has chosen stays."""
    display, plain = markups_node.GetDisplayNode(), slicer.vtkMRMLMarkupsFiducialDisplayNode()
    if display is not None and _look(display) == _look(plain):
        draw_finely(display)


def _look(display: MarkupsDisplayNode) -> tuple[int, float, float]:
    return display.GetGlyphType(), display.GetGlyphScale(), display.GetTextScale()


def show_names(markups_node: MarkupsNode, shown: bool) -> None:
    """Show or hide the names at the points; without them the anatomy around the points is free."""
    display = markups_node.GetDisplayNode()
    if display is not None:
        display.SetPointLabelsVisibility(shown)


def show_only_in(markups_node: MarkupsNode, view_ids: Sequence[str]) -> None:
    """Show the points only in the views with these node ids; in all views where there are none."""
    display = markups_node.GetDisplayNode()
    if display is not None and list(display.GetViewNodeIDs()) != list(view_ids):
        display.SetViewNodeIDs(list(view_ids))
