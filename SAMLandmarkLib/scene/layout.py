"""Template and follow-ups side by side: a layout with own views, and an own view group, for every scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.sax.saxutils import escape

from .nodes import nodes_of_class
from .volumes import KEY_ATTRIBUTE

LAYOUT_ID = 5701
"""Number of the layout in the scene's layout node; Slicer's own end far below."""

ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
MAXIMUM_SCANS = 6
_FIRST_GROUP = 5701
# The template's bar is blue, those of the follow-ups are gray: one sees at once which scan is the template.
_COLORS = ("#3d8fd1", "#8a94a3")


@dataclass(frozen=True)
class ScanViews:
    """A scan in the layout: its key, the title over its views, and its place from left to right."""

    key: str
    title: str
    number: int

    @property
    def group(self) -> int:
        """The view group of the scan's views; jumping and scrolling stay within it."""
        return _FIRST_GROUP + self.number

    def view_name(self, orientation: str) -> str:
        """The layout name of the scan's view of an orientation."""
        return f"SAMLandmark{self.number}{orientation}"


class Window(Protocol):
    """Where the scans are shown: Slicer's main window, or a web page."""

    def arrange(self, scans: Sequence[ScanViews], orientations: Sequence[str]) -> None:
        """Show a view for each orientation of each scan, by the names that `ScanViews.view_name` gives them."""


class SlicerWindow:
    """Slicer's main window, which shows what the scene's layout node says; without that node nothing is shown."""

    def __init__(self, scene: object) -> None:
        self._scene = scene

    def arrange(self, scans: Sequence[ScanViews], orientations: Sequence[str]) -> None:
        """See `Window`."""
        layout = self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout is not None:
            _describe_layout(layout, layout_xml(scans, orientations))


def layout_xml(scans: Sequence[ScanViews], orientations: Sequence[str] = ("Axial",)) -> str:
    """Slicer's layout description: a column for each scan, in it a view for each orientation."""
    columns = "".join(f"<item>{_column(scan, orientations)}</item>" for scan in scans)
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def show_layout(
    scene: object,
    scans: Sequence[ScanViews],
    orientations: Sequence[str] = ("Axial",),
    window: Window | None = None,
) -> None:
    """Show the scans' views in `window` (Slicer's), and give the views their titles, orientations and groups."""
    (window or SlicerWindow(scene)).arrange(scans, orientations)
    for scan in scans:
        for orientation in orientations:
            _prepare_view(scene, scan, orientation)


def slice_nodes(scene: object, key: str | None = None) -> list[object]:
    """The slice view nodes of a scan (of all scans for None) that `show_layout` prepared."""
    nodes = nodes_of_class(scene, "vtkMRMLSliceNode")
    return [
        node
        for node in nodes
        if node.GetAttribute(KEY_ATTRIBUTE) and key in (None, node.GetAttribute(KEY_ATTRIBUTE))
    ]


def slice_node_ids(scene: object, key: str) -> list[str]:
    """The ids of a scan's slice views."""
    return [node.GetID() for node in slice_nodes(scene, key)]


def _column(scan: ScanViews, orientations: Sequence[str]) -> str:
    views = "".join(f"<item>{_view(scan, orientation)}</item>" for orientation in orientations)
    return f'<layout type="vertical">{views}</layout>'


def _view(scan: ScanViews, orientation: str) -> str:
    properties = {
        "orientation": orientation,
        "viewlabel": _label(scan, orientation),
        "viewcolor": _color(scan),
        "viewgroup": str(scan.group),
    }
    lines = "".join(
        f'<property name="{name}" action="default">{escape(value)}</property>'
        for name, value in properties.items()
    )
    name = scan.view_name(orientation)
    return f'<view class="vtkMRMLSliceNode" singletontag="{name}">{lines}</view>'


def _label(scan: ScanViews, orientation: str) -> str:
    return f"{scan.title} {orientation[0]}"


def _color(scan: ScanViews) -> str:
    return _COLORS[min(scan.number, 1)]


def _describe_layout(layout: object, xml: str) -> None:
    if not layout.AddLayoutDescription(LAYOUT_ID, xml):
        layout.SetLayoutDescription(LAYOUT_ID, xml)
    if layout.GetViewArrangement() == LAYOUT_ID:
        # The number alone doesn't tell that its description is another one now.
        layout.SetViewArrangement(layout.SlicerLayoutNone)
    layout.SetViewArrangement(LAYOUT_ID)


def _prepare_view(scene: object, scan: ScanViews, orientation: str) -> None:
    node = scene.GetSingletonNode(scan.view_name(orientation), "vtkMRMLSliceNode")
    if node is None:
        node = _new_view(scene, "vtkMRMLSliceNode", scan.view_name(orientation))
    node.SetAttribute(KEY_ATTRIBUTE, scan.key)
    node.SetViewGroup(scan.group)
    node.SetLayoutLabel(_label(scan, orientation))
    node.SetLayoutColor(*(int(_color(scan)[start : start + 2], 16) / 255 for start in (1, 3, 5)))
    node.SetOrientation(orientation)


def composite_node(scene: object, slice_node: object) -> object:
    """The node that tells which volumes a slice view shows; made where the view has none yet."""
    name = slice_node.GetLayoutName()
    found = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
    return found or _new_view(scene, "vtkMRMLSliceCompositeNode", name)


def _new_view(scene: object, class_name: str, name: str) -> object:
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetSingletonTag(name)
    node.SetLayoutName(name)
    return scene.AddNode(node)
