"""Which views show which lists of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..scene.layout import ordinary_view_ids, slice_node_ids
from ..scene.mrml import MarkupsNode, Scene
from ..scene.point_display import show_only_in
from ..scene.review_node import ReviewNode


class MarkupsDisplay:
    """Shows the points of each scan in all views or, `apart`, among the scans' views in its own only.

    In the views of another scan they would be taken for that scan's points. In Slicer's ordinary views they are shown
    in both cases, since that is how somebody else will open the scene. Points of volumes that are no longer follow-ups
    are hidden.
    """

    def __init__(self, scene: Scene) -> None:
        self.apart = False
        self._scene = scene
        self._hidden: set[str] = set()

    def show(self, review: ReviewNode | None, shown: Mapping[str, MarkupsNode]) -> None:
        """Show these lists, by the keys of their scans, and no others of any review of the scene."""
        for key, node in shown.items():
            self.show_one(key, node)
        own = [] if review is None else review.markups
        self._hide_others(own, list(shown.values()))
        for other in ReviewNode.all(self._scene):
            for node in other.markups:
                if node not in own:
                    show_only_in(node, self._views_of(None))

    def show_one(self, key: str, node: MarkupsNode) -> None:
        """Show a list in the views of its scan."""
        show_only_in(node, self._views_of(key))

    def _hide_others(self, markups: Iterable[MarkupsNode], shown: list[MarkupsNode]) -> None:
        for node in markups:
            if node in shown and node.GetID() in self._hidden:
                self._hidden.discard(node.GetID())
                node.SetDisplayVisibility(True)
            elif node not in shown:
                self._hidden.add(node.GetID())
                node.SetDisplayVisibility(False)

    def _views_of(self, key: str | None) -> list[str]:
        """Ids of the views that show the points of a scan; none means all."""
        if not self.apart:
            return []
        own = [] if key is None else slice_node_ids(self._scene, key)
        return [*own, *ordinary_view_ids(self._scene)]
