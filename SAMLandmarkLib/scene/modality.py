"""Which kind of image a volume is, and whether there is a model for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.modality import MODALITIES, recognised
from ..io.radiographs import RADIOGRAPH_MODALITIES
from ..models.registry import REGISTRY, ModelRegistry
from ..utils.errors import SAMLandmarkError
from ..utils.recently_used import RecentlyUsed
from ..utils.translation import _
from .mrml import VolumeNode
from .studies import dicom_values
from .volumes import volume_arrays

_OF_DICOM = {"CT": "ct", "MR": "mr-brain", **dict.fromkeys(RADIOGRAPH_MODALITIES, "radiograph")}
"""The names that modalities have in models, by those that they have in DICOM."""
_OTHER_IMAGES = ("PT", "NM", "US", "MG", "XA", "RF", "OPT")
"""DICOM's names of images of patients for which nobody has thought of a model yet."""
_RECOGNISED = RecentlyUsed[int, str](256)
"""What voxels look like, by the time of their last change: it is asked at each step of a transfer, and takes 30 ms."""


@dataclass(frozen=True)
class ImageKind:
    """A kind of image: its `name` in models, or that of DICOM where models have none, and a `title` for people."""

    name: str
    title: str


def kind_of(volume_node: VolumeNode) -> ImageKind | None:
    """The kind of a volume: as DICOM says, else as its voxels look; None where it has no voxels to look at."""
    for dicom in dicom_values(volume_node, "DICOM.Modality"):
        if dicom in _OF_DICOM or dicom in _OTHER_IMAGES:
            return _kind(_OF_DICOM.get(dicom, dicom), dicom)
    image = volume_node.GetImageData()
    if image is None:
        return None
    try:
        # no two states of images have the same time in VTK
        name = _RECOGNISED.get(image.GetMTime(), lambda: recognised(volume_arrays(volume_node)[0]).name)
    except SAMLandmarkError:
        return None
    return _kind(name, "")


def kind_name(volume_node: VolumeNode) -> str:
    """The name of a volume's kind; "" where it has no voxels to look at."""
    kind = kind_of(volume_node)
    return "" if kind is None else kind.name


def modality_problem(
    volume_node: VolumeNode, template: VolumeNode | None = None, registry: ModelRegistry = REGISTRY
) -> str:
    """Why landmarks can't be found in a volume of its kind, in one sentence; "" where they can.

    That is where no model of the kind is bundled, or the `template` is of another kind.
    """
    kind = kind_of(volume_node)
    if kind is None:
        return ""
    if kind.name not in registry.modalities:
        none = _(
            "{name} is of the modality {kind}, for which there is no model yet; there is one for {known}."
        )
        known = ", ".join(_kind(name, "").title for name in registry.modalities)
        return none.format(name=volume_node.GetName(), kind=kind.title, known=known)
    of_template = None if template is None else kind_of(template)
    if of_template is None or of_template == kind or of_template.name not in registry.modalities:
        return ""
    mixed = _("{name} is of the modality {kind}, the template is of {other}; choose scans of one modality.")
    return mixed.format(name=volume_node.GetName(), kind=kind.title, other=of_template.title)


def _kind(name: str, dicom: str) -> ImageKind:
    known = MODALITIES.get(name)
    return ImageKind(name, known.title if known is not None else dicom or name)
