"""The review of a scene in a node of its own, so that it is saved, loaded and undone with the scene."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..review import ReviewState
from .nodes import nodes_of_class
from .undo import join_undo
from .volumes import scan_key

_CLASS = "vtkMRMLScriptedModuleNode"
_MARK = "SAMLandmark.Review"
_STATE, _PROVENANCE = "review", "provenance"
_TEMPLATE_VOLUME, _TEMPLATE_MARKUPS, _FOLLOW_UP = "templateVolume", "templateMarkups", "followUpVolume"


class ReviewNode:
    """A scripted module node that holds the review as JSON and refers to the nodes that belong to it.

    The nodes referred to get new ids when a scene is imported into another one; the scene then corrects references.
    """

    def __init__(self, node: object) -> None:
        self.node = node

    @classmethod
    def find(cls, scene: object) -> ReviewNode | None:
        """The review of a scene; the one added last where there are several, None where there is none."""
        reviews = cls.all(scene)
        return reviews[-1] if reviews else None

    @classmethod
    def all(cls, scene: object) -> list[ReviewNode]:
        """All reviews of a scene, in the order they were added."""
        return [cls(node) for node in nodes_of_class(scene, _CLASS) if node.GetAttribute(_MARK)]

    @classmethod
    def create(cls, scene: object) -> ReviewNode:
        """A new, empty review in the scene, which takes part in undo."""
        node = scene.CreateNodeByClass(_CLASS)
        node.UnRegister(None)
        node.SetName(scene.GenerateUniqueName("SAMLandmark review"))
        node.SetAttribute(_MARK, "1")
        node.SetHideFromEditors(True)
        scene.AddNode(node)
        join_undo(node)
        return cls(node)

    @property
    def state(self) -> ReviewState:
        """The review; ReviewError where its text is damaged."""
        text = self.node.GetParameter(_STATE)
        return ReviewState.from_json(text) if text else ReviewState()

    @state.setter
    def state(self, state: ReviewState) -> None:
        self.node.SetParameter(_STATE, state.to_json())

    @property
    def provenance(self) -> dict[str, dict]:
        """How the landmarks of each scan were made, by scan key; {} where that is damaged or unknown."""
        try:
            values = json.loads(self.node.GetParameter(_PROVENANCE) or "{}")
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    @provenance.setter
    def provenance(self, values: dict[str, dict]) -> None:
        self.node.SetParameter(_PROVENANCE, json.dumps(values, ensure_ascii=False))

    @property
    def template(self) -> tuple[object | None, object | None]:
        """The template's volume and markups nodes."""
        return self.node.GetNodeReference(_TEMPLATE_VOLUME), self.node.GetNodeReference(_TEMPLATE_MARKUPS)

    @template.setter
    def template(self, nodes: tuple[object | None, object | None]) -> None:
        for role, node in zip((_TEMPLATE_VOLUME, _TEMPLATE_MARKUPS), nodes, strict=True):
            self.node.SetNodeReferenceID(role, None if node is None else node.GetID())

    @property
    def follow_ups(self) -> list[object]:
        """The volume nodes of the follow-ups."""
        count = self.node.GetNumberOfNodeReferences(_FOLLOW_UP)
        nodes = (self.node.GetNthNodeReference(_FOLLOW_UP, number) for number in range(count))
        return [node for node in nodes if node is not None]

    @follow_ups.setter
    def follow_ups(self, volume_nodes: Sequence[object]) -> None:
        self.node.RemoveNodeReferenceIDs(_FOLLOW_UP)
        for node in volume_nodes:
            self.node.AddNodeReferenceID(_FOLLOW_UP, node.GetID())

    def markups_of(self, volume_node: object) -> object | None:
        """The markups node of a follow-up, None where it has none."""
        return self.node.GetNodeReference(_markups_role(volume_node))

    @property
    def markups(self) -> list[object]:
        """The markups nodes of the template and of all follow-ups that there are."""
        markups = [self.template[1], *map(self.markups_of, self.follow_ups)]
        return [node for node in markups if node is not None]

    def set_markups_of(self, volume_node: object, markups_node: object) -> None:
        """Remember the markups node of a follow-up."""
        self.node.SetNodeReferenceID(_markups_role(volume_node), markups_node.GetID())


def _markups_role(volume_node: object) -> str:
    return f"markups{scan_key(volume_node)}"
