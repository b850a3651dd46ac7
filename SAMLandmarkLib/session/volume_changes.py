"""Lets review and markups follow volumes that are moved, hardened, or get other voxels."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..core.geometry import transform_points
from ..scene.frames import world_lps_from
from ..scene.mrml import TransformNode
from ..scene.volume_place import SavedPlace, VolumePlace
from ..utils.translation import _
from .moved_review import Move, with_moved_follow_up, with_moved_template
from .review_scene_store import ReviewSceneStore
from .scans import SessionScan

_SAME_PLACE = 1e-6


class VolumeChangeHandler:
    """Compares each volume with what it was and makes the review follow.

    Landmarks belong to the anatomy, that is to voxels: where a volume's own frame changes under its voxels, as when a
    transform is hardened, they move along in it. Where the voxels themselves are others, as in another frame of a
    sequence, the places stay and are outdated.
    """

    def __init__(self, store: ReviewSceneStore) -> None:
        self._store = store
        self._places: dict[str, VolumePlace] = {}
        self._hardening: dict[str, TransformNode] = {}
        # follow-up: {scan: mark of the voxels in which its landmarks were found}
        self._answered: dict[str, dict[str, int | None]] = {}

    def take_up(self, scan: SessionScan, is_template: bool) -> str:
        """Begin to follow a volume; the message for the user where it changed since its landmarks were saved."""
        now, before = VolumePlace.of_volume(scan.node), self._store.saved_place(scan.key)
        self._places[scan.key] = now
        self._store.remember_place(scan.key, now)
        if before is None:
            return ""
        if before.size_ijk != now.size_ijk:
            return _other_voxels(scan)
        return self._follow_frame(scan, is_template, before, now)

    def forget_all(self) -> None:
        """Begin anew with every volume, as with another scene."""
        self._places.clear()
        self._hardening.clear()
        self._answered.clear()

    def changed(self, scan: SessionScan, is_template: bool) -> str:
        """React to a changed volume; returns the message for the user, "" for none."""
        before = self._places.get(scan.key)
        now = VolumePlace.of_volume(scan.node, before)
        self._places[scan.key] = now
        if before is None or before == now:
            return ""
        self._store.remember_place(scan.key, now)
        if now.voxels != before.voxels:
            return self._voxels_changed(scan, before, now)
        if (transform := self._hardening.pop(scan.key, None)) is not None and now.transform is None:
            self._take_voxels_as_known(scan, now)
            return self._move(scan, is_template, partial(world_lps_from, transform_node=transform))
        return self._follow_frame(scan, is_template, before, now)

    def _voxels_changed(self, scan: SessionScan, before: VolumePlace, now: VolumePlace) -> str:
        transform = now.transform
        resampled = before.ijk_to_ras != now.ijk_to_ras and before.transform is transform
        if resampled and transform is not None and not transform.IsTransformToWorldLinear():
            # Slicer hardens a non-linear transform by resampling, and only then takes the transform away
            self._hardening[scan.key] = transform
            return ""
        return (
            _other_voxels(scan) if any(scan.key in answered for answered in self._answered.values()) else ""
        )

    def answered(self, template: SessionScan | None, follow_up: SessionScan) -> None:
        """Landmarks of a follow-up were found in the voxels that both volumes have now."""
        scans = [scan for scan in (template, follow_up) if scan is not None]
        self._answered[follow_up.key] = {scan.key: self._voxels(scan) for scan in scans}

    def has_other_voxels(self, template: SessionScan | None, follow_up: SessionScan) -> bool:
        """Whether one of the volumes has other voxels than those in which the landmarks were found."""
        answered = self._answered.get(follow_up.key, {})
        return any(
            scan.key in answered and answered[scan.key] != self._voxels(scan)
            for scan in (template, follow_up)
            if scan is not None
        )

    def _voxels(self, scan: SessionScan) -> int | None:
        return self._places[scan.key].voxels if scan.key in self._places else None

    def _take_voxels_as_known(self, scan: SessionScan, now: VolumePlace) -> None:
        for answered in self._answered.values():
            if scan.key in answered:
                answered[scan.key] = now.voxels

    def _follow_frame(
        self, scan: SessionScan, is_template: bool, before: SavedPlace, now: VolumePlace
    ) -> str:
        if np.allclose(before.ijk_to_ras, now.ijk_to_ras, rtol=0.0, atol=_SAME_PLACE):
            if not is_template:
                self._store.follow_transform(scan)
            return ""
        return self._move(scan, is_template, partial(transform_points, now.lps_move_since(before)))

    def _move(self, scan: SessionScan, is_template: bool, move: Move) -> str:
        state = self._store.state
        if is_template:
            self._store.move_points(move)
            self._store.replace_without_undo(with_moved_template(state, move), [])
            return ""
        self._store.follow_transform(scan)
        moved = with_moved_follow_up(state, scan.key, move)
        self._store.replace_without_undo(moved, [scan])
        text = _(
            "{scan} has another place now, as after hardening a transform; its points were moved with it."
        )
        return "" if moved is state else text.format(scan=scan.name)


def _other_voxels(scan: SessionScan) -> str:
    text = _(
        "{scan} shows other voxels than its points were made for, as another frame of a sequence does; transfer again."
    )
    return text.format(scan=scan.name)
