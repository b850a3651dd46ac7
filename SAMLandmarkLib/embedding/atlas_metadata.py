"""What an atlas file says about itself, checked field by field; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.records import bounded, from_json, to_json
from ..models.header import DAMAGE_ERRORS, read_header
from ..utils.errors import AtlasError, ModelError
from ..utils.translation import _

FORMAT_VERSION = 1
FARTHEST_MM = 1e5
MOST_CELLS = 1 << 22
"""Cells that a patient's finest grid may have: a metre and a half of a body in cells of 4 mm have fewer."""


@dataclass(frozen=True)
class Code:
    """The structure on which a landmark lies, in a terminology: `scheme` is DICOM's designator, such as SCT or RADLEX."""

    scheme: Literal["SCT", "RADLEX", "FMA"]
    value: str
    meaning: str


@dataclass(frozen=True)
class ProtocolLandmark:
    """A landmark of a protocol: its label, what it is in words, and the code of the structure where there is one."""

    label: str
    title: str = ""
    code: Code | None = None
    side: Literal["", "left", "right"] = ""


@dataclass(frozen=True)
class AtlasLevel:
    """A level of the vectors: spacing of its cells and length of a vector."""

    cell_spacing_mm: float = bounded(1e-3, 1000.0)
    dimension: int = bounded(1, 4096)


@dataclass(frozen=True)
class AtlasPatient:
    """A marked patient: where the scan comes from, under which licence, who is to be named, and its geometry.

    `origin_lps`, `spacing_mm`, `size_ijk`: the grid of the image that was embedded; `ijk_to_lps` (4x4 row by row) and
    `scan_size_ijk`: the field of view of the scan.
    """

    name: str
    origin_lps: tuple[float, float, float] = bounded(-FARTHEST_MM, FARTHEST_MM)
    spacing_mm: float = bounded(1e-3, 100.0)
    size_ijk: tuple[int, int, int] = bounded(1, 8192)
    ijk_to_lps: tuple[float, ...] = bounded(-FARTHEST_MM, FARTHEST_MM)
    scan_size_ijk: tuple[int, int, int] = bounded(1, 65536)
    collection: str = ""
    licence: str = ""
    attribution: str = ""

    def __post_init__(self) -> None:
        if len(self.ijk_to_lps) != 16 or self.ijk_to_lps[12:] != (0.0, 0.0, 0.0, 1.0):
            raise ModelError(f"patients: the map ijk_to_lps of {self.name!r} must be a 4x4 affine map.")


@dataclass(frozen=True)
class AtlasMetadata:
    """What an atlas file says about itself.

    `model_sha256` is of the model file whose vectors it holds, `levels` those vectors' kinds, finest first. Raises
    ModelError where the fields contradict each other.
    """

    name: str
    model_sha256: str
    modality: str
    levels: tuple[AtlasLevel, ...]
    landmarks: tuple[ProtocolLandmark, ...]
    patients: tuple[AtlasPatient, ...]
    title: str = ""
    format_version: int = bounded(FORMAT_VERSION, FORMAT_VERSION, FORMAT_VERSION)

    def __post_init__(self) -> None:
        for name, parts in (
            ("levels", self.levels),
            ("landmarks", self.landmarks),
            ("patients", self.patients),
        ):
            if not parts:
                raise ModelError(f"atlas.{name}: there must be at least one.")
        _require_different("landmarks", [landmark.label for landmark in self.landmarks])
        _require_different("patients", [patient.name for patient in self.patients])
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise ModelError(
                f"atlas.name: must be letters, digits, hyphens and underscores, not {self.name!r}."
            )
        spacings = [level.cell_spacing_mm for level in self.levels]
        if spacings != sorted(set(spacings)):
            raise ModelError(f"atlas.levels: the spacings must grow, not be {spacings}.")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the landmarks in order."""
        return tuple(landmark.label for landmark in self.landmarks)

    def require_model(
        self, sha256: str, levels: tuple[AtlasLevel, ...] | None = None, source: Path | None = None
    ) -> None:
        """Raise AtlasError where the vectors are not of the model file with this checksum, and these levels if given.

        `source` is the atlas file, for the message.
        """
        if self.model_sha256 == sha256 and levels in (None, self.levels):
            return
        other = _(
            "{atlas} holds vectors of another model ({theirs}) than the one that embeds scans here ({ours}); build it again with "
            "this model (samlandmark atlas build), or name the other one (--model)."
        )
        names = {"theirs": self.model_sha256[:12], "ours": sha256[:12]}
        raise AtlasError(other.format(atlas=source or f"The atlas {self.name}", **names))

    def to_json(self) -> dict[str, Any]:
        """All fields in the types that JSON knows."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_json(cls, values: object) -> AtlasMetadata:
        """The metadata that `to_json` described; ModelError names a field that is wrong."""
        return from_json(cls, values, "atlas")


def read_atlas_metadata(path: Path) -> AtlasMetadata:
    """What an atlas file says about itself, its tensors unread; AtlasError where it is no atlas file or damaged."""
    try:
        with path.open("rb") as file:
            return AtlasMetadata.from_json(read_header(file)["metadata"])
    except (OSError, *DAMAGE_ERRORS) as error:
        raise damaged_atlas(path, error) from error
    except ModelError as error:
        raise AtlasError(f"{path}: {error}") from error


def damaged_atlas(path: Path, error: Exception) -> AtlasError:
    """The error that tells which file is no atlas file or damaged, and why."""
    damaged = _("{path}: not an atlas file, or damaged ({reason}); build it again or take another one.")
    return AtlasError(damaged.format(path=str(path), reason=str(error)[:300]))


def _require_different(name: str, texts: list[str]) -> None:
    if blank := [number for number, text in enumerate(texts) if not text.strip()]:
        raise ModelError(f"atlas.{name}[{blank[0]}]: has no name.")
    if repeated := sorted({text for text in texts if texts.count(text) > 1}):
        raise ModelError(f"atlas.{name}: more than one is called {repeated[0]!r}.")
