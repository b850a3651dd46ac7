"""The training images, resident in memory on grids of every level's spacing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..utils.errors import UsageError
from .label_rendering import FIRST_LABEL_OF_THE_HEAD, render_labels
from .modalities import CT, Scan, TrainingModality
from .scans import LABEL_MAPS, heads_below, scans_below

CT_SPACINGS_MM = (2.0, 4.0)
BODY_SAMPLES = 20_000


@dataclass(frozen=True)
class TrainingVolume:
    """One image in memory.

    `values` `[z,y,x]` at the base spacing and those of the levels, int16 HU in CT, float16 grey values of films and MR;
    random body voxels `body_ijk` `(n,3)` as (x,y,z) at the base spacing. `others`: the same at the same places in other
    contrasts. A label map `labels` `[z,y,x]` at the base spacing looks different whenever it is asked; its `values` are
    one of its looks.
    """

    name: str
    group: str
    values: Mapping[float, Tensor]
    body_ijk: np.ndarray
    others: tuple[Mapping[float, Tensor], ...] = ()
    labels: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the values lie."""
        return next(iter(self.values.values())).device

    def appearance(self, spacing_mm: float, rng: np.random.Generator, where: Tensor) -> Tensor:
        """The values `[z,y,x]` of a level's voxels in one of the contrasts that there are.

        Of a label map only what surrounds the voxel indices `where` `[...,3]` (x,y,z) is made.
        """
        if self.labels is not None:
            return self._rendered(spacing_mm, rng, where)
        contrasts = (self.values, *self.others)
        return contrasts[rng.integers(len(contrasts)) if self.others else 0][spacing_mm]

    def _rendered(self, spacing_mm: float, rng: np.random.Generator, where: Tensor) -> Tensor:
        factor = round(spacing_mm / min(self.values))
        flat = where.reshape(-1, 3)
        low = ((flat.amin(0).floor() - 1) * factor).clamp(min=0).long().tolist()
        high = ((flat.amax(0).ceil() + 2) * factor).clamp(min=0).long().tolist()
        box = tuple(slice(first, last) for first, last in zip(low[::-1], high[::-1], strict=True))
        image = render_labels(self.labels, rng, box)
        return image if factor == 1 else pooled(image, factor)


class VolumePool:
    """All training images of a modality, drawn by group weight and then by the square root of their size.

    Groups are the first-level folders of the data directory; a folder that `group_weights` does not name weighs
    as much as the mean of those it names, so any folder can be trained on.
    """

    def __init__(
        self,
        volumes: list[TrainingVolume],
        group_weights: Mapping[str, float],
        modality: TrainingModality = CT,
    ) -> None:
        if not volumes:
            raise UsageError(
                "There is no volume to train on; give --data a folder with NIfTI, NRRD or MHA files, "
                "or one with PNG, JPEG or TIFF films for radiographs."
            )
        self.volumes, self.modality = volumes, modality
        self.group_weights = group_weights
        self.probabilities = self._probabilities()

    @classmethod
    def read(
        cls,
        directory: str | Path,
        group_weights: Mapping[str, float],
        device: torch.device,
        modality: TrainingModality = CT,
        spacings_mm: Iterable[float] = CT_SPACINGS_MM,
        pixel_spacing_mm: float | None = None,
    ) -> VolumePool:
        """Read every image below `directory`, or a file made by `pack`; unreadable ones are logged and left out.

        Raises UsageError where there is none, and where a level's spacing is no multiple of the base spacing.
        """
        directory = Path(directory)
        factors = {spacing: _factor(spacing, modality) for spacing in spacings_mm}
        scans = _scans(directory, modality, pixel_spacing_mm)
        volumes = [_training_volume(*scan, factors, modality, device) for scan in scans]
        return cls(volumes, group_weights, modality)

    def without(self, names: Collection[str]) -> VolumePool:
        """The pool without the images of these names."""
        kept = [volume for volume in self.volumes if volume.name not in names]
        return VolumePool(kept, self.group_weights, self.modality)

    def named(self, name: str) -> TrainingVolume:
        """The image of that name; UsageError where there is none."""
        for volume in self.volumes:
            if volume.name == name:
                return volume
        raise UsageError(f"There is no volume '{name}' in the training data; check validation_volumes.")

    def draw(self, rng: np.random.Generator) -> TrainingVolume:
        return self.volumes[rng.choice(len(self.volumes), p=self.probabilities)]

    def _probabilities(self) -> np.ndarray:
        weights = self.group_weights
        usual = float(np.mean(list(weights.values()))) if weights else 1.0
        base = self.modality.base_spacing_mm
        sizes = np.array([volume.values[base].numel() ** 0.5 for volume in self.volumes])
        result = np.zeros(len(self.volumes))
        for group in sorted({volume.group for volume in self.volumes}):
            member = np.array([volume.group == group for volume in self.volumes])
            result[member] = weights.get(group, usual) * sizes[member] / sizes[member].sum()
        return result / result.sum()


def pack(
    directory: str | Path,
    path: str | Path,
    modality: TrainingModality = CT,
    pixel_spacing_mm: float | None = None,
) -> None:
    """Write all images below `directory`, at the base spacing, into one compressed file.

    Images in several contrasts, and single ones of a modality that has such, are kept as `[contrast,z,y,x]`.
    """
    scans = _scans(Path(directory), modality, pixel_spacing_mm)
    np.savez_compressed(path, **{f"{group}/{name}": values for name, group, values in scans})


def _scans(directory: Path, modality: TrainingModality, pixel_spacing_mm: float | None) -> Iterator[Scan]:
    if directory.suffix == ".npz":
        return _unpacked(directory)
    if modality.names_contrasts:
        return heads_below(directory, modality.modality, modality.base_spacing_mm, modality.padding_value)
    return scans_below(directory, modality.modality, modality.base_spacing_mm, pixel_spacing_mm)


def _unpacked(path: Path) -> Iterator[Scan]:
    with np.load(path) as archive:
        for key in archive.files:
            group, _, name = key.rpartition("/")
            yield name, group, archive[key]


def _factor(spacing_mm: float, modality: TrainingModality) -> int:
    factor = round(spacing_mm / modality.base_spacing_mm)
    if factor < 1 or abs(factor * modality.base_spacing_mm - spacing_mm) > 1e-6:
        raise UsageError(
            f"A level of {spacing_mm:g} mm cannot be trained on {modality.name}: spacings must be multiples of "
            f"{modality.base_spacing_mm:g} mm."
        )
    return factor


def _training_volume(
    name: str,
    group: str,
    values: np.ndarray,
    factors: Mapping[float, int],
    modality: TrainingModality,
    device: torch.device,
) -> TrainingVolume:
    if group == LABEL_MAPS and modality.names_contrasts:
        return _label_map(name, group, values, factors, modality, device)
    contrasts = values if values.ndim == 4 else values[None]
    body_ijk = _some_of(np.argwhere(contrasts[0] > modality.tissue_from))
    first, *others = (_at_levels(torch.from_numpy(image), factors, modality, device) for image in contrasts)
    return TrainingVolume(name, group, first, body_ijk, tuple(others))


def _label_map(
    name: str,
    group: str,
    labels: np.ndarray,
    factors: Mapping[float, int],
    modality: TrainingModality,
    device: torch.device,
) -> TrainingVolume:
    """Patches are cut about the brain, which is less than half of the head."""
    labels_there = torch.from_numpy(labels).to(device)
    image = render_labels(labels_there, np.random.default_rng(labels.size))
    body_ijk = _some_of(np.argwhere((labels > 0) & (labels < FIRST_LABEL_OF_THE_HEAD)))
    values = _at_levels(image.half(), factors, modality, device)
    return TrainingVolume(name, group, values, body_ijk, labels=labels_there)


def _some_of(kji: np.ndarray) -> np.ndarray:
    """Random voxels `(n,3)` as (x,y,z), the same for the same voxels."""
    chosen = np.random.default_rng(len(kji)).choice(len(kji), min(BODY_SAMPLES, len(kji)), replace=False)
    return kji[chosen][:, ::-1].astype(np.float32)


def _at_levels(
    base: Tensor, factors: Mapping[float, int], modality: TrainingModality, device: torch.device
) -> dict[float, Tensor]:
    levels = {modality.base_spacing_mm: base.to(device)}
    return levels | {
        spacing: pooled(base, factor).to(device) for spacing, factor in factors.items() if factor > 1
    }


def pooled(values: Tensor, factor: int) -> Tensor:
    """Means over blocks of `factor` voxels per side of `[z,y,x]`, along y and x alone where there is one slice."""
    kernel = (factor if values.shape[0] > 1 else 1, factor, factor)
    means = functional.avg_pool3d(
        values[None, None].float(), kernel, ceil_mode=True, count_include_pad=False
    )[0, 0]
    return means.round().to(values.dtype) if values.dtype == torch.int16 else means.to(values.dtype)
