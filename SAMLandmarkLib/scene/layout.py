"""Template and follow-ups side by side: a layout with own views, and an own view group, for every scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from xml.sax.saxutils import escape

from .mrml import LayoutNode, Scene, SliceCompositeNode, SliceNode
from .nodes import nodes_of_class
from .volumes import KEY_ATTRIBUTE

LAYOUT_ID = 5701
"""Number of the layout in the scene's layout node; Slicer's own end far below."""

ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
MAXIMUM_SCANS = 6
_FEWEST_FOR_TWO_ROWS = 4
# A view that showed a scan before and is not part of the layout now.
_NO_SCAN = "none"
_FIRST_GROUP = 5701
_VIEWS_AT_START = (
    *("vtkMRMLSliceNodeRed", "vtkMRMLSliceNodeGreen", "vtkMRMLSliceNodeYellow"),
    "vtkMRMLViewNode1",
)
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


class MainWindow(Protocol):
    """Where the scans are shown: Slicer's main window, or a web page."""

    def leave(self) -> None:
        """Show again what was shown before the first `arrange`."""

    def arrange(self, scans: Sequence[ScanViews], orientations: Sequence[str]) -> None:
        """Show a view for each orientation of each scan, by the names that `ScanViews.view_name` gives them."""


class SlicerWindow:
    """Slicer's main window, which shows what the scene's layout node says; without that node nothing is shown.

    The description of a layout is not saved with a scene. While the scans are side by side, the layout node is
    therefore not saved either: whoever opens the scene keeps the layout of the moment.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._before: int | None = None

    def arrange(self, scans: Sequence[ScanViews], orientations: Sequence[str]) -> None:
        """See `MainWindow`."""
        layout = self._layout_node()
        if layout is None:
            return
        if layout.GetViewArrangement() != LAYOUT_ID:
            self._before = layout.GetViewArrangement()
        layout.SetSaveWithScene(False)
        _describe_layout(layout, layout_xml(scans, orientations))

    def leave(self) -> None:
        """See `MainWindow`; four views where the layout from before is unknown, as in a scene of an older version."""
        layout = self._layout_node()
        if layout is None:
            return
        layout.SetSaveWithScene(True)
        if layout.GetViewArrangement() == LAYOUT_ID:
            layout.SetViewArrangement(layout.SlicerLayoutFourUpView if self._before is None else self._before)

    def _layout_node(self) -> LayoutNode | None:
        node: LayoutNode | None = self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        return node


def layout_xml(scans: Sequence[ScanViews], orientations: Sequence[str] = ("Axial",)) -> str:
    """Slicer's layout description: a column for each scan, in it a view for each orientation.

    Four scans or more with one view each stand in two rows, the template first.
    """
    if len(scans) < _FEWEST_FOR_TWO_ROWS or len(orientations) > 1:
        return _row(scans, orientations)
    half = (len(scans) + 1) // 2
    rows = "".join(f"<item>{_row(part, orientations)}</item>" for part in (scans[:half], scans[half:]))
    return f'<layout type="vertical" split="true">{rows}</layout>'


def _row(scans: Sequence[ScanViews], orientations: Sequence[str]) -> str:
    columns = "".join(f"<item>{_column(scan, orientations)}</item>" for scan in scans)
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def show_layout(
    scene: Scene,
    scans: Sequence[ScanViews],
    orientations: Sequence[str] = ("Axial",),
    window: MainWindow | None = None,
) -> None:
    """Show the scans' views in `window` (Slicer's), and give the views their titles, orientations and groups."""
    (window or SlicerWindow(scene)).arrange(scans, orientations)
    shown = [_prepare_view(scene, scan, orientation) for scan in scans for orientation in orientations]
    for view in slice_nodes(scene):
        if view not in shown:
            view.SetAttribute(KEY_ATTRIBUTE, _NO_SCAN)


def slice_nodes(scene: Scene, key: str | None = None) -> list[SliceNode]:
    """The slice view nodes of a scan (of all scans for None) that `show_layout` prepared."""
    nodes = nodes_of_class(scene, "vtkMRMLSliceNode")
    return [
        node
        for node in nodes
        if node.GetAttribute(KEY_ATTRIBUTE) not in (None, "", _NO_SCAN)
        and key in (None, node.GetAttribute(KEY_ATTRIBUTE))
    ]


def ordinary_view_ids(scene: Scene) -> list[str]:
    """The ids of all views that belong to no scan, with those that Slicer has at its start, even if not yet made."""
    views = [*nodes_of_class(scene, "vtkMRMLSliceNode"), *nodes_of_class(scene, "vtkMRMLViewNode")]
    ids = [view.GetID() for view in views if not view.GetAttribute(KEY_ATTRIBUTE)]
    return list(dict.fromkeys([*_VIEWS_AT_START, *ids]))


def slice_node_ids(scene: Scene, key: str) -> list[str]:
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


def _describe_layout(layout: LayoutNode, xml: str) -> None:
    if not layout.AddLayoutDescription(LAYOUT_ID, xml):
        layout.SetLayoutDescription(LAYOUT_ID, xml)
    if layout.GetViewArrangement() == LAYOUT_ID:
        # The number alone doesn't tell that its description is another one now.
        layout.SetViewArrangement(layout.SlicerLayoutNone)
    layout.SetViewArrangement(LAYOUT_ID)


def _prepare_view(scene: Scene, scan: ScanViews, orientation: str) -> SliceNode:
    node = scene.GetSingletonNode(scan.view_name(orientation), "vtkMRMLSliceNode")
    if node is None:
        node = _new_view(scene, "vtkMRMLSliceNode", scan.view_name(orientation))
    node.SetAttribute(KEY_ATTRIBUTE, scan.key)
    node.SetSaveWithScene(False)
    composite_node(scene, node).SetSaveWithScene(False)
    node.SetViewGroup(scan.group)
    node.SetLayoutLabel(_label(scan, orientation))
    node.SetLayoutColor(*(int(_color(scan)[start : start + 2], 16) / 255 for start in (1, 3, 5)))
    node.SetOrientation(orientation)
    return node


def composite_node(scene: Scene, slice_node: SliceNode) -> SliceCompositeNode:
    """The node that tells which volumes a slice view shows; made where the view has none yet."""
    name = slice_node.GetLayoutName()
    node: SliceCompositeNode | None = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
    return node or _new_view(scene, "vtkMRMLSliceCompositeNode", name)


def _new_view(scene: Scene, class_name: str, name: str) -> Any:
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetSingletonTag(name)
    node.SetLayoutName(name)
    # nobody else's Slicer has a view of this name
    node.SetSaveWithScene(False)
    return scene.AddNode(node)
