"""Registrations in a session: a follow-up is mapped to the template as a whole, by a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..registration.files import TRANSFORM_NAME
from ..registration.registration_job import VOXELS_NAME, write_job
from ..scene.registration_nodes import (
    RegistrationNodes,
    grid_shown,
    show_grid,
    write_registration,
)
from ..scene.views import hide_overlay, overlay_shown, show_overlay
from ..scene.volumes import find_volume, upright_from_own
from ..utils.errors import OutputError, RegistrationError, UsageError
from ..utils.translation import _
from ..worker.private_folder import PrivateFolder
from .background_job import BackgroundJob
from .background_process import no_room
from .context import SessionContext
from .job_scans import NodeScan, write_voxels
from .scans import SessionScan
from .status import Change

_MODULE = "SAMLandmarkLib.registration.registration_job"


@dataclass(frozen=True, eq=False)
class _Pair:
    """What is being registered: the keys of both scans, the name of the follow-up, and where the results will lie."""

    template_key: str
    follow_up_key: str
    name: str
    results: PrivateFolder


class RegistrationControl:
    """Registers follow-ups to the template; listeners of the session hear `Change.REGISTRATION`."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._job = BackgroundJob(_MODULE, self._went_on, self._ended)
        self._pair: _Pair | None = None
        self._told = ("", "")

    @property
    def running(self) -> bool:
        """Whether a follow-up is being registered, or waits for the scans to be embedded."""
        return self._job.running

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return self._job.fraction

    def text(self, follow_up_key: str) -> str:
        """How far the work is, or else why that for this follow-up ended without a result; "" where nothing is to be told."""
        key, text = self._told
        return text if self.running or key == follow_up_key else ""

    def blocking_reason(self, follow_up_key: str) -> str:
        """What keeps a follow-up from being registered, in a sentence for the user; "" where nothing does."""
        jobs = self._context.jobs
        if jobs.template is None:
            return _("Choose the template volume.")
        follow_up = jobs.scan(follow_up_key)
        if follow_up is None or follow_up is jobs.template:
            return _("Choose at least one follow-up volume.")
        return next(
            (problem for scan in (jobs.template, follow_up) if (problem := jobs.problem_of(scan))), ""
        )

    def register(self, follow_up_key: str, profile: str = "accurate") -> None:
        """Register a follow-up to the template, as soon as the worker has embedded both; returns at once.

        `profile` is "affine", "fast" or "accurate". The scene gets the outputs when all is done, in the place of earlier
        ones of the same scans. Raises UsageError with the blocking_reason where there is one, or where one is running.
        """
        self._scans(follow_up_key)
        if not self.running:
            self._told = follow_up_key, ""
        # what the worker computes is in the cache then, and is not computed twice
        self._job.begin_when(lambda: not self._context.jobs.busy, lambda: self._start(follow_up_key, profile))

    def cancel(self) -> None:
        """End what runs, if anything; the scene stays as it is."""
        if self.running:
            self.close()
            self._say(_("Canceled."))

    def close(self) -> None:
        """End what runs and tell nobody."""
        self._job.close()
        self._forget_pair()

    def poll(self) -> None:
        """Take what the process has said."""
        self._job.poll()

    # ---- the outputs

    def outputs(self, follow_up_key: str) -> RegistrationNodes:
        """The transform and the registered volume of a follow-up, None each where the scene lacks it."""
        template, follow_up = self._context.jobs.template, self._context.jobs.scan(follow_up_key)
        if template is None or follow_up is None:
            return RegistrationNodes(None, None)
        return RegistrationNodes.of(template.node, follow_up.node)

    def remove(self, follow_up_key: str) -> None:
        """Take the outputs of a follow-up out of the scene; what was hung under the transform is back in its own frame."""
        self.outputs(follow_up_key).remove()
        self._changed()

    def is_over_template(self, follow_up_key: str) -> bool:
        """Whether the registered volume of a follow-up lies over the template in its views."""
        volume = self.outputs(follow_up_key).volume
        return volume is not None and overlay_shown(volume)

    def show_over_template(self, follow_up_key: str, shown: bool) -> None:
        """Lay the registered volume of a follow-up over the template in its views, or take it away."""
        template, volume = self._context.jobs.template, self.outputs(follow_up_key).volume
        if template is None or volume is None:
            return
        if shown:
            show_overlay(template.node, volume)
        else:
            hide_overlay(volume)

    def is_grid_shown(self, follow_up_key: str) -> bool:
        """Whether the transform of a follow-up is drawn as a grid."""
        transform = self.outputs(follow_up_key).transform
        return transform is not None and grid_shown(transform)

    def show_grid(self, follow_up_key: str, shown: bool) -> None:
        """Draw the transform of a follow-up as a grid, or not; Slicer draws it in every slice view."""
        transform = self.outputs(follow_up_key).transform
        if transform is not None:
            show_grid(transform, shown)

    # ---- the process

    def _scans(self, follow_up_key: str) -> tuple[SessionScan, SessionScan]:
        """Template and follow-up. Raises UsageError where they can't be registered."""
        template, follow_up = self._context.jobs.template, self._context.jobs.scan(follow_up_key)
        reason = self.blocking_reason(follow_up_key)
        if reason or template is None or follow_up is None:
            raise UsageError(reason)
        return template, follow_up

    def _start(self, follow_up_key: str, profile: str) -> None:
        template, follow_up = self._scans(follow_up_key)
        frames = [upright_from_own(scan.node) for scan in (template, follow_up)]
        scans = [
            NodeScan.of(scan.node, number, frames[number])
            for number, scan in enumerate((template, follow_up))
        ]
        names, worker = [template.name, follow_up.name], self._context.jobs.worker
        results = _private_folder()

        def write(folder: Path, canceled: Callable[[], bool]) -> None:
            described = [scan.described for scan in scans]
            write_voxels(folder, scans, canceled)
            write_job(folder, described, names, frames, profile, worker.settings, results.path)

        self._pair = _Pair(template.key, follow_up.key, follow_up.name, results)
        self._job.start(write, worker, _("Starting."))

    def _went_on(self) -> None:
        self._say(self._job.text)

    def _ended(self, answer: dict[str, Any] | None, problem: str) -> None:
        pair = self._pair
        try:
            if answer is not None and pair is not None:
                problem = self._take(pair, answer["facts"])
        finally:
            self._forget_pair()
        name = "" if pair is None or not problem else f"{pair.name}: "
        self._say(f"{name}{problem}")

    def _take(self, pair: _Pair, facts: dict[str, Any]) -> str:
        """Put the results into the scene; a sentence where that is not possible."""
        scene = self._context.scene
        template, follow_up = find_volume(scene, pair.template_key), find_volume(scene, pair.follow_up_key)
        if template is None or follow_up is None:
            return _("A scan was removed meanwhile; register again.")
        try:
            voxels = np.load(pair.results.path / VOXELS_NAME, allow_pickle=False)
            write_registration(template, follow_up, pair.results.path / TRANSFORM_NAME, voxels, facts)
        except (OSError, RegistrationError) as error:
            return str(error)
        return ""

    def _forget_pair(self) -> None:
        if self._pair is not None:
            self._pair.results.remove()
            self._pair = None

    def _say(self, text: str) -> None:
        self._told = self._told[0], text
        self._changed()

    def _changed(self) -> None:
        self._context.notices.notify(Change.REGISTRATION)


def _private_folder() -> PrivateFolder:
    try:
        return PrivateFolder()
    except OSError as error:
        raise OutputError(no_room(error)) from error


def registration_words(facts: dict[str, Any]) -> str:
    """What is known of a registration, in sentences; "" where nothing is.

    >>> registration_words({"profile": "affine", "consistent_points": 900.0, "searched_points": 1500.0})
    'Profile affine: 900 of 1500 matched points agree on the map.'
    """
    try:
        parts = [
            _("Profile {profile}: {agreeing:.0f} of {searched:.0f} matched points agree on the map.").format(
                profile=facts["profile"],
                agreeing=facts["consistent_points"],
                searched=facts["searched_points"],
            )
        ]
        if "folded_percent" in facts:
            regular = _("{folded:.1f} % of the body folds; the inverse is off by {error:.2f} mm (median).")
            parts.append(
                regular.format(folded=facts["folded_percent"], error=facts["inverse_error_median_mm"])
            )
    except (KeyError, TypeError, ValueError):
        return ""
    return " ".join(parts)
