"""The lesions that were tracked in a scene, and what its reader has drawn and said of them since."""

from __future__ import annotations

from ..core.lesions import LesionHistory
from ..io.lesion_json import history_document, history_from
from ..scene.lesion_lines import read_lesions, remove_proposals, show_lesions
from ..scene.lesion_node import read_lesion_node, write_lesion_node
from ..scene.mrml import Scene, VolumeNode
from ..scene.volumes import find_volume
from ..utils.errors import LesionError, SAMLandmarkError
from ..utils.translation import _
from .lesion_changes import Said, foreign_names, with_drawn, with_said


class TrackedLesions:
    """Holds the tracks, kept in the scene, and makes lines of them and a history of the lines.

    `history` is as it was tracked, None where nothing was; `keys` are those of the scans of its visits; `said` is the
    reader's word on lesions by name and visit.
    """

    def __init__(self, scene: Scene) -> None:
        self.history: LesionHistory | None = None
        self.keys: tuple[str, ...] = ()
        self.said: dict[tuple[str, int], Said] = {}
        self._scene = scene

    @property
    def volumes(self) -> list[VolumeNode | None]:
        """The scans of the visits, None for those that the scene has lost."""
        return [find_volume(self._scene, key) for key in self.keys]

    def uid_of(self, name: str) -> str:
        """The tracking UID of a lesion, "" where it has none yet."""
        return next((item.lesion.uid for item in self.history or () if item.lesion.name == name), "")

    def replace(self, history: LesionHistory, keys: tuple[str, ...]) -> None:
        """Take over new tracks and draw them: proposals are drawn anew, what the reader drew stays."""
        if keys != self.keys:
            self.said = {}
        self.history, self.keys = history, keys
        for number, volume in enumerate(self.volumes):
            if volume is not None:
                if number:
                    remove_proposals(self._scene, volume)
                findings = [(item.lesion, found) for item in history if (found := item.at(number))]
                show_lesions(self._scene, volume, findings, with_others=not number)
        self.keep()

    def say(self, name: str, visit: int, said: Said | None) -> None:
        """Note the reader's word on a lesion at a date; None takes it back."""
        self.said.pop((name, visit), None)
        if said is not None:
            self.said[name, visit] = said
        self.keep()

    def with_reader(self) -> tuple[LesionHistory | None, tuple[str, ...]]:
        """The history with what the reader has drawn and said, and what about it is odd."""
        history, remarks = self.history, []
        if history is None:
            return None, ()
        for visit, volume in enumerate(self.volumes):
            if volume is None:
                continue
            try:
                marks = read_lesions(self._scene, volume)
            except LesionError as error:
                remarks.append(str(error))
                continue
            history = with_drawn(history, visit, marks)
            if visit and (names := foreign_names(history, marks)):
                told = _(
                    "{scan}: the lines {names} belong to no lesion; call a new lesion N1, its line N1 long."
                )
                remarks.append(told.format(scan=volume.GetName(), names=", ".join(names)))
        for (name, visit), said in self.said.items():
            history = with_said(history, visit, name, said)
        return history, (*remarks, *history.notes)

    def keep(self) -> None:
        """Keep everything in the scene."""
        if self.history is not None:
            said = [[name, visit, word.value] for (name, visit), word in self.said.items()]
            values = {"scans": list(self.keys), "said": said, "history": history_document(self.history)}
            write_lesion_node(self._scene, values)

    def take_up(self, template_key: str) -> str:
        """Go on with the tracks that the scene holds of a template, if any; a sentence where they can't be read."""
        if self.keys[:1] == (template_key,):
            return ""
        self._forget()
        values = read_lesion_node(self._scene)
        if values is None or values.get("scans", [])[:1] != [template_key]:
            return ""
        try:
            self.history = history_from(values["history"], "the scene")
            self.said = {(name, visit): Said(word) for name, visit, word in values["said"]}
            self.keys = tuple(values["scans"])
        except (SAMLandmarkError, LookupError, TypeError, ValueError):
            self._forget()
            return _("The tracked lesions of this scene can't be read; track again.")
        return ""

    def _forget(self) -> None:
        self.history, self.keys, self.said = None, (), {}
