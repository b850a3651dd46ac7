"""The module's parameters: what the user chose, kept in the scene and bound to the widgets of the .ui."""

from __future__ import annotations

from enum import Enum
from typing import Any

from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper

_FORMER_FOLDER = "exportFolder"


class Orientation(Enum):
    """Which slices the side-by-side views show of each scan."""

    AXIAL = "Axial"
    CORONAL = "Coronal"
    SAGITTAL = "Sagittal"
    ALL = "All"

    def label(self) -> str:
        """The text of the selector."""
        texts = {
            Orientation.AXIAL: _("Axial"),
            Orientation.CORONAL: _("Coronal"),
            Orientation.SAGITTAL: _("Sagittal"),
            Orientation.ALL: _("All three"),
        }
        return texts[self]

    @property
    def names(self) -> tuple[str, ...]:
        """Slicer's names of the orientations to show."""
        return ("Axial", "Coronal", "Sagittal") if self is Orientation.ALL else (self.value,)


@parameterNodeWrapper
class SAMLandmarkParameterNode:
    """Template, points and follow-ups, and how they are shown and saved.

    `protocol`: the one whose named landmarks are found instead of a template's points; empty for these.
    `live`: points follow as soon as they are placed. `useCorrections`: corrected points help on the other scans.
    `oneAtATime`: the template beside one follow-up only. `pointNames`: every point shows its name, not only the one under
    review. `lesionPoints`: lesions of the template of which only the places are marked.
    """

    templateVolume: vtkMRMLScalarVolumeNode
    templatePoints: vtkMRMLMarkupsFiducialNode
    followUps: list[vtkMRMLScalarVolumeNode]
    lesionPoints: vtkMRMLMarkupsFiducialNode
    protocol: str = ""
    live: bool = False
    useCorrections: bool = False
    sideBySide: bool = True
    orientation: Orientation = Orientation.AXIAL
    oneAtATime: bool = False
    linkedScrolling: bool = False
    sameGrayLevels: bool = False
    pointNames: bool = False


def forgetFormerParameters(node: Any) -> None:
    """Take what older versions kept in the scene out of a parameter node: folders name computers and people."""
    if node.GetParameter(_FORMER_FOLDER):
        node.UnsetParameter(_FORMER_FOLDER)
