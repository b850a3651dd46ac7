"""One run of `samlandmark register`: all inputs are read first, then the scans are registered, then files are written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.volume import Volume
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan
from ..engine.settings import WorkerSettings
from ..io.landmark_files import write_markups
from ..io.result_files import require_writable, to_json
from ..io.target_names import distinct_names, file_name
from ..registration.files import registration_document, write_image, write_registration
from ..registration.registration import Registration
from ..reporting.registration_picture import write_registration_picture
from ..utils.errors import UsageError, VolumeWarning
from .terminal import ProgressCallback

IMAGE_NAME, PICTURE_NAME, LANDMARKS_NAME = (
    "registered.nrrd",
    "registration.png",
    "landmarks_in_target.mrk.json",
)


@dataclass(frozen=True)
class RegisterCommand:
    """What `samlandmark register` was asked for: `apply` are files of the target, `carry` files of the template."""

    template: Path
    target: Path
    output: Path
    profile: str = "accurate"
    apply: tuple[Path, ...] = ()
    carry: tuple[Path, ...] = ()
    landmarks: Path | None = None
    csv_frame: str | None = None
    engine: WorkerSettings = field(default_factory=WorkerSettings)


@dataclass(frozen=True)
class RegisterOutcome:
    """A registration, the files that were written about it, and what a user should know of how it was computed."""

    registration: Registration
    files: list[Path]
    notes: list[str]

    def document(self) -> dict[str, Any]:
        """The machine-readable summary."""
        return to_json(
            registration_document(self.registration) | {"files": [str(path) for path in self.files]}
        )


class RegisterRun:
    """Reads everything that a request names, so that wrong usage is told before the work begins."""

    def __init__(self, request: RegisterCommand, start_volume: Callable[[str], ProgressCallback]) -> None:
        self.request, self._start_volume = request, start_volume
        self._output = require_writable(request.output)
        self._landmarks = request.landmarks and LandmarkSet.read(request.landmarks, request.csv_frame)
        self._runtime = EngineRuntime(request.engine)
        self._template, self._target = map(self._runtime.read, (request.template, request.target))
        with warnings.catch_warnings():
            # a label map does not look like CT, and need not
            warnings.simplefilter("ignore", VolumeWarning)
            self._applied = [Volume.read(path) for path in request.apply]
            self._carried = [Volume.read(path) for path in request.carry]
        self._names = distinct_names([*request.apply, *request.carry])
        self._refuse_overwritten_inputs()

    def carry_out(self) -> RegisterOutcome:
        """Register and write; RegistrationError where the scans do not show the same anatomy, OutputError."""
        scans = [self._embedded(volume) for volume in (self._template, self._target)]
        registration = self._runtime.register(
            *scans, self.request.profile, self._start_volume("registration")
        )
        files = write_registration(self._output, registration)
        files += self._write_images(registration)
        if self._landmarks is not None:
            files.append(self._write_landmarks(registration))
        return RegisterOutcome(registration, files, self._runtime.notes)

    def _embedded(self, volume: Volume) -> EmbeddedScan:
        scan = self._runtime.embed_volume(volume, self._start_volume(volume.name))
        self._runtime.keep(scan)
        return scan

    def _write_images(self, registration: Registration) -> list[Path]:
        registered = registration.apply(self._target)
        write_image(self._output / IMAGE_NAME, registered)
        write_registration_picture(self._output / PICTURE_NAME, self._template, registered)
        images = [registration.apply(image) for image in self._applied]
        images += [registration.apply_inverse(image) for image in self._carried]
        paths = self._image_paths()
        for path, image in zip(paths, images, strict=True):
            write_image(path, image)
        return [self._output / IMAGE_NAME, self._output / PICTURE_NAME, *paths]

    def _write_landmarks(self, registration: Registration) -> Path:
        """The template's landmarks in the target; those that come to lie outside it are left undefined."""
        points = self._landmarks.positions_lps
        shown = registration.template_region.distance_to_border_mm(points) > 0
        shown &= registration.in_target(points)
        found = np.where(shown[:, None], registration.apply_points(points), np.nan)
        path = self._output / LANDMARKS_NAME
        write_markups(path, self._landmarks.labels, found)
        return path

    def _image_paths(self) -> list[Path]:
        """One file for each image, named after it and the frame that it is brought to."""
        frames = ["in_template"] * len(self.request.apply) + ["in_target"] * len(self.request.carry)
        return [
            self._output / file_name(f"{name}_{frame}", ".nrrd")
            for name, frame in zip(self._names, frames, strict=True)
        ]

    def _refuse_overwritten_inputs(self) -> None:
        request = self.request
        inputs = [request.template, request.target, *request.apply, *request.carry]
        for path in (self._output / IMAGE_NAME, *self._image_paths()):
            if any(path.exists() and other.exists() and path.samefile(other) for other in inputs):
                raise UsageError(
                    f"{path} is an input and would be overwritten; choose another output folder."
                )
