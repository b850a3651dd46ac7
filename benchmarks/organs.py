"""What the trained weights bring for organs of head and neck with few labelled patients, beside random weights.

    python benchmarks/organs.py DATA --output FOLDER [--labelled 1 2] [--arms scratch ...] [--draws 3] [--seeds 2]
        [--steps 200] [--level coarse]

DATA is laid out as `../shared/data`: CT in `train/head-neck` and `eval/head-neck`, label maps of the same names in
`labels/head-neck`. Patients with all four organs are labelled (from `train`) and measured (from `eval`): brainstem, spinal
cord, both parotids. The bundled network saw the scans of `train` without labels, those of `eval` never. Every arm is the
coarse level of the bundled network with a new head, on voxels of 4 mm; they differ in how they begin:

- `scratch`: random weights, the learning rate chosen; `scratch-3x`: the same, three times the steps
- `trained`: the weights of the bundled model, which learn at 0.3 of the rate of the head
- `trained-frozen`, `random-frozen`: only the head learns

Results are kept and gone on with as in `pretraining.py`.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from few_label_grid import SCRATCH, SCRATCH_3X, Grid, add_grid_options
from few_labels import fit, hd95
from torch import Tensor
from torch.nn import functional

from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.core.resampling import resample_to_grid
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.prepared import PreparedVolume
from SAMLandmarkLib.io.volume_files import read_volume_file
from SAMLandmarkLib.models.encoder import EmbeddingEncoder, SegmentationNetwork
from SAMLandmarkLib.training.config import TrainingConfig
from SAMLandmarkLib.training.ct_appearance import vary_appearance
from SAMLandmarkLib.training.encoder_export import EncoderRequest, export_encoder
from SAMLandmarkLib.training.levels import COARSE
from SAMLandmarkLib.training.views import cut, random_map

TRAINED, TRAINED_FROZEN, RANDOM_FROZEN = "trained", "trained-frozen", "random-frozen"
ARMS = (SCRATCH, SCRATCH_3X, TRAINED, TRAINED_FROZEN, RANDOM_FROZEN)
ORGANS = {1: "brainstem", 2: "spinal cord", 3: "right parotid", 4: "left parotid"}
PATCH_KJI = (32, 48, 48)
BATCH = 2
NEAR_ORGAN_SHARE = 0.7
"""Of the patches, how many have their middle in an organ; the others lie anywhere."""
HIDDEN_VOXELS = (4, 12)
VIEWS = replace(COARSE, patch_kji=PATCH_KJI, elastic_sd_mm=4.0)
CONFIG = TrainingConfig(rotation_degrees=10.0, log_scale=0.1, log_anisotropy=0.05)


@dataclass(frozen=True, eq=False)
class Patient:
    """A scan `[z,y,x]` in HU around the body and the organ of every voxel, 0 for none."""

    hu: Tensor
    organs: Tensor


def read_patient(scan: Path, labels: Path, spacing_mm: float) -> Patient:
    """Both on the canonical grid around the body; an organ is where its mask, interpolated, is above a half."""
    canonical = PreparedVolume.of(Volume.read(scan, modality=CT), spacing_mm).canonical
    contents = read_volume_file(labels)
    background = replace(CT, intensity_range=(0.0, 1.0), padding_value=0.0)
    organs = np.zeros(canonical.array.shape, np.int64)
    for number in ORGANS:
        mask = (np.asarray(contents.array) == number).astype(np.float32)
        organs[resample_to_grid(mask, contents.ijk_to_lps, canonical.grid, background) > 0.5] = number
    return Patient(torch.from_numpy(canonical.array).float(), torch.from_numpy(organs))


def loss_of(logits: Tensor, organs: Tensor) -> Tensor:
    """Cross-entropy and mean soft Dice of the organs, `[B,classes,D,H,W]` against `[B,D,H,W]`."""
    shares = functional.softmax(logits, dim=1)[:, 1:]
    truth = functional.one_hot(organs, logits.shape[1]).movedim(-1, 1)[:, 1:].to(shares.dtype)
    axes = (0, 2, 3, 4)
    overlap = 2 * (shares * truth).sum(axes) / (shares.sum(axes) + truth.sum(axes)).clamp(min=1)
    seen = truth.sum(axes) > 0
    missed = (1 - overlap[seen]).mean() if seen.any() else overlap.sum() * 0
    return functional.cross_entropy(logits, organs) + missed


def example(patient: Patient, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A patch `[1,D,H,W]` turned, scaled, bent and with other looks, and its organs `[D,H,W]`."""
    if rng.random() < NEAR_ORGAN_SHARE:
        inside = patient.organs.nonzero()
        center_kji = inside[rng.integers(len(inside))].numpy()
    else:
        center_kji = rng.integers(np.array(patient.hu.shape))
    jitter = rng.uniform(-0.25, 0.25, 3) * PATCH_KJI
    index = random_map(
        (center_kji + jitter)[::-1].copy(), VIEWS, CONFIG, rng, patient.hu.device
    ).grid()  # x, y, z
    hu = vary_appearance(cut(patient.hu, index, CT.padding_value), rng, HIDDEN_VOXELS)
    nearest = index.round().long()
    size = torch.tensor(patient.organs.shape[::-1])
    within = ((nearest >= 0) & (nearest < size)).all(dim=-1)
    x, y, z = nearest.clamp(min=0).minimum(size - 1).unbind(-1)
    return hu[None], torch.where(within, patient.organs[z, y, x], 0)


class OrganGrid(Grid):
    """The grid of few labelled patients of head and neck."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        data: Path = arguments.data
        self.labels = data / "labels" / "head-neck"
        parts = {
            part: [
                path
                for path in sorted((data / part / "head-neck").glob("*.nii.gz"))
                if self._is_complete(path.name)
            ]
            for part in ("train", "eval")
        }
        self.scans = {path.name: path for paths in parts.values() for path in paths}
        names = {part: [path.name for path in paths] for part, paths in parts.items()}
        super().__init__(arguments, names["train"], {"head-neck": names["eval"]})
        self.patients: dict[str, Patient] = {}

    def _is_complete(self, name: str) -> bool:
        labels = self.labels / name
        return labels.exists() and set(ORGANS) <= set(np.unique(read_volume_file(labels).array).tolist())

    def patient(self, name: str) -> Patient:
        if name not in self.patients:
            spacing = self.encoder.wanted.spacing_mm
            self.patients[name] = read_patient(self.scans[name], self.labels / name, spacing)
        return self.patients[name]

    @cached_property
    def encoder(self) -> EmbeddingEncoder:
        """The level of the bundled network, of which the other arms have the shape alone."""
        file = self.folder / f"{self.arguments.level}.safetensors"
        return EmbeddingEncoder.load(export_encoder(EncoderRequest("ct", file, level=self.arguments.level)))

    def start(self, arm: str) -> EmbeddingEncoder:
        torch.manual_seed(0)
        begun = (
            copy.deepcopy(self.encoder)
            if arm in (TRAINED, TRAINED_FROZEN)
            else EmbeddingEncoder.new(self.encoder.level, self.encoder.source)
        )
        return begun.freeze() if arm in (TRAINED_FROZEN, RANDOM_FROZEN) else begun

    def trained(
        self, arm: str, labelled: Sequence[str], steps: int, rate: float, seed: int
    ) -> SegmentationNetwork:
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        network = self.start(arm).segmentation_head(len(ORGANS) + 1)
        network.to(memory_format=torch.channels_last_3d)
        patients = [self.patient(name) for name in labelled]

        def batch() -> tuple[Tensor, Tensor]:
            pairs = [example(patients[index], rng) for index in rng.integers(len(patients), size=BATCH)]
            images, organs = (torch.stack(part) for part in zip(*pairs, strict=True))
            return images, organs

        groups = network.parameter_groups(rate, 0.3 if arm == TRAINED else 1.0)
        return fit(network, groups, batch, loss_of, steps, rate)

    @torch.no_grad()
    def measured(self, network: SegmentationNetwork, name: str) -> dict[str, float]:
        """The mean over the organs, on the network's grid."""
        patient = self.patient(name)
        divisor = network.encoder.wanted.divisor
        padding = [
            pad
            for size, part in zip(patient.hu.shape[::-1], divisor[::-1], strict=True)
            for pad in (0, -size % part)
        ]
        image = functional.pad(patient.hu, padding, value=CT.padding_value)[None, None]
        depth, height, width = patient.hu.shape
        found = network(image)[0].argmax(0)[:depth, :height, :width].numpy()
        truth = patient.organs.numpy()
        spacing = (network.encoder.wanted.spacing_mm,) * 3
        dice, distance = [], []
        for number in ORGANS:
            one, other = found == number, truth == number
            dice.append(100.0 * 2 * (one & other).sum() / (one.sum() + other.sum()))
            distance.append(hd95(one, other, spacing))
        # an organ that was not found at all has no surface: its distance counts for nothing, its Dice does
        told = np.nanmean(distance) if np.isfinite(distance).any() else np.nan
        return {"dice": round(float(np.mean(dice)), 3), "hd95_mm": round(float(told), 3)}


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    add_grid_options(parser, ARMS, (1e-3, 3e-3, 1e-2))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--level", choices=("coarse", "fine"), default="coarse")
    return parser.parse_args(words)


if __name__ == "__main__":
    OrganGrid(arguments_of()).finish()
