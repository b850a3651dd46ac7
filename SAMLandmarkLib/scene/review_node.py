"""The review of a scene in a node of its own, so that it is saved, loaded and undone with the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..review import ReviewState
from ..utils.errors import ReviewError
from .mrml import MarkupsNode, ParameterNode, Scene, VolumeNode
from .nodes import nodes_of_class
from .undo import join_undo
from .volumes import KEY_ATTRIBUTE, scan_key

_CLASS = "vtkMRMLScriptedModuleNode"
_MARK = "SAMLandmark.Review"
STATE = "review"
"""Name of the parameter that holds the review's text."""
_PROVENANCE, _PLACES = "provenance", "places"
_TEMPLATE_VOLUME, _TEMPLATE_MARKUPS, _FOLLOW_UP = "templateVolume", "templateMarkups", "followUpVolume"
_MARKUPS, _VOLUME = "markups", "volume"
_PROTOCOL = "protocol"
_OPENED = "SAMLandmark.Opened"


class ReviewNode:
    """A scripted module node that holds the review as JSON and refers to the nodes that belong to it.

    The nodes referred to get new ids when a scene is imported into another one; the scene then corrects references.
    """

    def __init__(self, node: ParameterNode) -> None:
        self.node = node

    @classmethod
    def find(cls, scene: Scene) -> ReviewNode | None:
        """The review of a scene; of several the one opened last, or else added last; None where there is none."""
        reviews = cls.all(scene)
        opened = [review for review in reviews if review.node.GetAttribute(_OPENED)]
        return next(reversed(opened or reviews), None)

    @classmethod
    def all(cls, scene: Scene) -> list[ReviewNode]:
        """All reviews of a scene, in the order they were added."""
        return [cls(node) for node in nodes_of_class(scene, _CLASS) if node.GetAttribute(_MARK)]

    @classmethod
    def of(
        cls, scene: Scene, template: tuple[VolumeNode | None, MarkupsNode | None], protocol: str = ""
    ) -> ReviewNode:
        """The review of a template's volume and markups, or of a protocol, which is opened; a new one if there is none."""
        reviews = (each for each in cls.all(scene) if (each.template, each.protocol) == (template, protocol))
        review = next(reviews, None) or cls.create(scene)
        review.open()
        review.template, review.protocol = template, protocol
        return review

    @classmethod
    def create(cls, scene: Scene) -> ReviewNode:
        """A new, empty review in the scene, which takes part in undo."""
        node = scene.CreateNodeByClass(_CLASS)
        node.UnRegister(None)
        node.SetName(scene.GenerateUniqueName("SAMLandmark review"))
        node.SetAttribute(_MARK, "1")
        node.SetHideFromEditors(True)
        scene.AddNode(node)
        join_undo(node)
        return cls(node)

    def open(self) -> None:
        """Make this the review that `find` finds, and let it know its volumes by the keys that they have now."""
        for other in self.all(self.node.GetScene()):
            other.node.RemoveAttribute(_OPENED)
        self.node.SetAttribute(_OPENED, "1")
        self._take_new_keys()

    def _take_new_keys(self) -> None:
        """A scene that was added to one with the same volumes had to give its own other keys."""
        pairs = ((key, scan_key(node)) for key, node in self._volumes_by_key().items())
        keys = {before: now for before, now in pairs if before != now}
        if not keys:
            return
        for before, now in keys.items():
            markups = self.node.GetNodeReferenceID(_MARKUPS + before)
            self.node.SetNodeReferenceID(_MARKUPS + before, None)
            self.node.SetNodeReferenceID(_MARKUPS + now, markups)
        self.provenance = {keys.get(key, key): value for key, value in self.provenance.items()}
        self.places = {keys.get(key, key): value for key, value in self.places.items()}
        if text := self.node.GetParameter(STATE):
            self.node.SetParameter(STATE, _with_new_keys(text, keys))
        self._remember_keys()

    def _volumes_by_key(self) -> dict[str, VolumeNode]:
        """The volumes by the keys under which this review knows them; scenes of older versions hold no other."""
        roles = self._roles(_VOLUME)
        known = {role.removeprefix(_VOLUME): self.node.GetNodeReference(role) for role in roles}
        if not known:
            volumes = [node for node in (self.template[0], *self.follow_ups) if node is not None]
            known = {node.GetAttribute(KEY_ATTRIBUTE) or "": node for node in volumes}
        return {key: node for key, node in known.items() if key and node is not None}

    def _remember_keys(self) -> None:
        for role in self._roles(_VOLUME):
            self.node.SetNodeReferenceID(role, None)
        for volume in (self.template[0], *self.follow_ups):
            if volume is not None:
                self.node.SetNodeReferenceID(_VOLUME + scan_key(volume), volume.GetID())

    def _roles(self, prefix: str) -> list[str]:
        count = self.node.GetNumberOfNodeReferenceRoles()
        roles = [self.node.GetNthNodeReferenceRole(number) for number in range(count)]
        return [role for role in roles if role.startswith(prefix)]

    @property
    def state(self) -> ReviewState:
        """The review; ReviewError where its text is damaged."""
        text = self.node.GetParameter(STATE)
        return ReviewState.from_json(text) if text else ReviewState()

    @state.setter
    def state(self, state: ReviewState) -> None:
        self.node.SetParameter(STATE, state.to_json())

    @property
    def provenance(self) -> dict[str, dict[str, Any]]:
        """How the landmarks of each scan were made, by scan key; {} where that is damaged or unknown."""
        try:
            values = json.loads(self.node.GetParameter(_PROVENANCE) or "{}")
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    @provenance.setter
    def provenance(self, values: dict[str, dict[str, Any]]) -> None:
        self.node.SetParameter(_PROVENANCE, json.dumps(values, ensure_ascii=False))

    @property
    def places(self) -> dict[str, dict[str, list[float]]]:
        """Map (16 numbers) and size (3) of each volume when its landmarks were written, by scan key."""
        try:
            values = json.loads(self.node.GetParameter(_PLACES) or "{}")
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    @places.setter
    def places(self, values: dict[str, dict[str, list[float]]]) -> None:
        self.node.SetParameter(_PLACES, json.dumps(values))

    @property
    def template(self) -> tuple[VolumeNode | None, MarkupsNode | None]:
        """The template's volume and markups nodes."""
        return self.node.GetNodeReference(_TEMPLATE_VOLUME), self.node.GetNodeReference(_TEMPLATE_MARKUPS)

    @template.setter
    def template(self, nodes: tuple[VolumeNode | None, MarkupsNode | None]) -> None:
        for role, node in zip((_TEMPLATE_VOLUME, _TEMPLATE_MARKUPS), nodes, strict=True):
            self.node.SetNodeReferenceID(role, None if node is None else node.GetID())

    @property
    def protocol(self) -> str:
        """The protocol whose landmarks are reviewed; empty where they are those of a template."""
        return str(self.node.GetParameter(_PROTOCOL) or "")

    @protocol.setter
    def protocol(self, protocol: str) -> None:
        if protocol != self.protocol:
            self.node.SetParameter(_PROTOCOL, protocol)

    @property
    def follow_ups(self) -> list[VolumeNode]:
        """The volume nodes of the follow-ups."""
        count = self.node.GetNumberOfNodeReferences(_FOLLOW_UP)
        nodes = (self.node.GetNthNodeReference(_FOLLOW_UP, number) for number in range(count))
        return [node for node in nodes if node is not None]

    @follow_ups.setter
    def follow_ups(self, volume_nodes: Sequence[VolumeNode]) -> None:
        self.node.RemoveNodeReferenceIDs(_FOLLOW_UP)
        for node in volume_nodes:
            self.node.AddNodeReferenceID(_FOLLOW_UP, node.GetID())
        self._remember_keys()

    def markups_of(self, volume_node: VolumeNode) -> MarkupsNode | None:
        """The markups node of a follow-up, None where it has none."""
        markups: MarkupsNode | None = self.node.GetNodeReference(_markups_role(volume_node))
        return markups

    @property
    def markups(self) -> list[MarkupsNode]:
        """The markups nodes of the template and of all volumes that are or were follow-ups."""
        lists = (self.node.GetNodeReference(role) for role in self._roles(_MARKUPS))
        return [node for node in (self.template[1], *lists) if node is not None]

    def set_markups_of(self, volume_node: VolumeNode, markups_node: MarkupsNode) -> None:
        """Remember the markups node of a follow-up."""
        self.node.SetNodeReferenceID(_markups_role(volume_node), markups_node.GetID())


def _with_new_keys(text: str, keys: Mapping[str, str]) -> str:
    """The text of a review, {former key: key}; as it is where it can't be read, which is told when it is taken up."""
    try:
        state = ReviewState.from_json(text)
    except ReviewError:
        return text
    scans = {keys.get(key, key): items for key, items in state.scans.items()}
    log = tuple(replace(entry, scan=keys.get(entry.scan, entry.scan)) for entry in state.log)
    return replace(state, scans=scans, log=log).to_json()


def _markups_role(volume_node: VolumeNode) -> str:
    return f"{_MARKUPS}{scan_key(volume_node)}"
