"""Lesions as line markups of the scene: `T1 long` and `T1 short` on the scan that they were drawn on.

A proposed line that a reader has moved is the reader's from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import slicer

from ..core.geometry import LPS_FROM_RAS
from ..core.lesions import Diameter, Finding, Lesion, Mark, Source
from ..io.lesion_details import details_text
from ..io.lesion_lines import LONG, SHORT, DrawnLesions
from .frames import own_lps_from, ras_from_own_lps
from .mrml import MarkupsNode, Scene, VolumeNode
from .nodes import keep_placing, nodes_of_class
from .point_display import draw_line_finely
from .points import read_points
from .volumes import find_volume, ijk_to_ras, scan_key

LINE_CLASS = "vtkMRMLMarkupsLineNode"
_SCAN, _DETAILS, _PROPOSED = "SAMLandmark.ScanKey", "SAMLandmark.Lesion", "SAMLandmark.Proposed"
_MOVED_MM = 0.05
"""So far a line's end may lie from where it was proposed, for rounding."""
_COLOURS = {Source.HAND: (1.0, 0.83, 0.3), Source.IMAGE: (0.2, 0.84, 0.9), Source.CARRIED: (0.2, 0.84, 0.9)}


def lines_of(scene: Scene, volume_node: VolumeNode, with_others: bool = False) -> list[MarkupsNode]:
    """The lines that were drawn on a scan; `with_others`: also those of which nobody knows on which."""
    wanted = {scan_key(volume_node), None} if with_others else {scan_key(volume_node)}
    return [node for node in nodes_of_class(scene, LINE_CLASS) if scan_key_of_line(scene, node) in wanted]


def scan_key_of_line(scene: Scene, node: MarkupsNode) -> str | None:
    """The key of the scan that a line lies on: the one that was clicked; None where nobody knows."""
    if (key := node.GetAttribute(_SCAN)) or not node.GetNumberOfControlPoints():
        return key
    clicked = scene.GetNodeByID(node.GetNthControlPointAssociatedNodeID(0) or "")
    return scan_key(clicked) if clicked is not None and clicked.IsA("vtkMRMLScalarVolumeNode") else None


def lines_with_scans(scene: Scene) -> Iterator[tuple[MarkupsNode, VolumeNode]]:
    """The lines of which it is known on which scan they lie, with that scan."""
    for node in nodes_of_class(scene, LINE_CLASS):
        volume = find_volume(scene, scan_key_of_line(scene, node) or "")
        if volume is not None:
            yield node, volume


def color_by_source(node: MarkupsNode, volume_node: VolumeNode) -> None:
    """Color the line of a lesion by who drew it; other lines stay as they are."""
    display, wanted = node.GetDisplayNode(), _COLOURS[_source(node, _placed_lps(node, volume_node))]
    if node.GetAttribute(_DETAILS) and display is not None and display.GetSelectedColor() != wanted:
        display.SetSelectedColor(wanted)


def read_lesions(
    scene: Scene,
    volume_node: VolumeNode,
    with_others: bool = False,
    points_node: MarkupsNode | None = None,
) -> list[Mark]:
    """The lesions whose diameters are drawn on a scan, and those of a point list on it, in its own frame.

    Raises LesionError where a line has one point only, or two lines the same name.
    """
    drawn = DrawnLesions(volume_node.GetName())
    for node in lines_of(scene, volume_node, with_others):
        ends = _placed_lps(node, volume_node)
        if len(ends):  # one without any is about to be drawn
            drawn.add_line(node.GetName(), ends, _details(node), _source(node, ends))
    for point in () if points_node is None else read_points(points_node, volume_node):
        drawn.add_point(point.label, np.array(point.position_lps))
    return drawn.marks()


def _details(node: MarkupsNode) -> str:
    """What is known of a line's lesion; files of lines tell it at the first point."""
    first = node.GetNthControlPointDescription(0) if node.GetNumberOfControlPoints() else ""
    return node.GetAttribute(_DETAILS) or first or ""


def draw_line(scene: Scene, name: str) -> None:
    """Let the next two clicks in the views draw a new line of this name."""
    empty = (node for node in nodes_of_class(scene, LINE_CLASS) if not node.GetNumberOfControlPoints())
    node = next((node for node in empty if node.GetName() == name), None) or _new_line(scene, name)
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    selection.SetReferenceActivePlaceNodeClassName(LINE_CLASS)
    selection.SetActivePlaceNodeID(node.GetID())
    interaction.SetPlaceModePersistence(0)
    interaction.SetCurrentInteractionMode(interaction.Place)


def show_lesions(
    scene: Scene,
    volume_node: VolumeNode,
    findings: Sequence[tuple[Lesion, Finding]],
    with_others: bool = False,
) -> None:
    """Draw the diameters of lesions on a scan; lines of the same name that nobody has moved are drawn anew.

    What a reader drew or moved stays as it is. `with_others`: lines of which nobody knows on which scan are this one's.
    """
    known = {node.GetName(): node for node in lines_of(scene, volume_node, with_others)}
    with keep_placing(scene):
        for lesion, finding in findings:
            for name, diameter in _named(lesion, finding, volume_node):
                node = known.get(name)
                if node is None:
                    node = _new_line(scene, name)
                elif _source(node, _placed_lps(node, volume_node)) is Source.HAND:
                    _belongs(node, volume_node, lesion)
                    continue
                _belongs(node, volume_node, lesion)
                _draw(volume_node, node, diameter)


def remove_proposals(scene: Scene, volume_node: VolumeNode) -> None:
    """Take the proposed lines of a scan away; what a reader drew or moved stays."""
    for node in lines_of(scene, volume_node):
        if _source(node, _placed_lps(node, volume_node)) is not Source.HAND:
            scene.RemoveNode(node)


def _named(lesion: Lesion, finding: Finding, volume_node: VolumeNode) -> Iterator[tuple[str, Diameter]]:
    if not finding.is_seen:
        return
    axes = {LONG: finding.long, SHORT: finding.short}
    if finding.long is None:
        # what could not be measured is shown as it was carried, to be dragged to where it belongs
        carried = {LONG: finding.carried_long, SHORT: finding.carried_short}
        axes = {name: _in_slice(line, finding.position, volume_node) for name, line in carried.items()}
    for axis, diameter in axes.items():
        if diameter is not None:
            yield f"{lesion.name} {axis}", diameter


def _in_slice(diameter: Diameter | None, centre_lps: np.ndarray, volume_node: VolumeNode) -> Diameter | None:
    """A diameter laid into the slice of a place: a map may tilt it, and both ends are to be seen in one slice."""
    if diameter is None:
        return None
    axes = (LPS_FROM_RAS @ ijk_to_ras(volume_node))[:3, :3]
    normal = np.cross(axes[:, 0], axes[:, 1])
    normal /= np.linalg.norm(normal)
    above = (diameter.ends - centre_lps) @ normal
    return Diameter.between(diameter.ends - above[:, None] * normal, diameter.source)


def _new_line(scene: Scene, name: str) -> MarkupsNode:
    node: MarkupsNode = scene.AddNewNodeByClass(LINE_CLASS, name)
    node.CreateDefaultDisplayNodes()
    # both diameters cross where their labels are
    draw_line_finely(node.GetDisplayNode(), labeled=not name.lower().endswith(SHORT))
    return node


def _belongs(node: MarkupsNode, volume_node: VolumeNode, lesion: Lesion) -> None:
    """Let a line know its scan and its lesion."""
    node.SetAttribute(_SCAN, scan_key(volume_node))
    node.SetAttribute(_DETAILS, details_text(lesion))


def _draw(volume_node: VolumeNode, node: MarkupsNode, diameter: Diameter) -> None:
    node.RemoveAllControlPoints()
    for place in ras_from_own_lps(diameter.ends, volume_node, node).tolist():
        node.AddControlPoint(place, "")
    node.GetDisplayNode().SetSelectedColor(_COLOURS[diameter.source])
    proposed = "" if diameter.source is Source.HAND else _proposal(diameter)
    node.SetAttribute(_PROPOSED, proposed or None)


def _proposal(diameter: Diameter) -> str:
    """Where a line was proposed, and by what, as a text."""
    return " ".join([diameter.source.value, *(f"{value:.3f}" for value in diameter.ends.ravel())])


def _source(node: MarkupsNode, ends_lps: np.ndarray) -> Source:
    """Whether a line is as it was proposed; one that was moved is a reader's."""
    source, _sign, numbers = (node.GetAttribute(_PROPOSED) or "").partition(" ")
    if source not in Source.__members__ or len(ends_lps) != 2:
        return Source.HAND
    proposed = np.reshape([float(number) for number in numbers.split()], (-1, 3))
    moved = proposed.shape != (2, 3) or np.abs(proposed - ends_lps).max() > _MOVED_MM
    return Source.HAND if moved else Source[source]


def _placed_lps(node: MarkupsNode, volume_node: VolumeNode) -> np.ndarray:
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    ras = [
        node.GetNthControlPointPosition(number)
        for number in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(number) == defined
    ]
    return own_lps_from(np.reshape(np.array(ras, dtype=float), (-1, 3)), node, volume_node)
