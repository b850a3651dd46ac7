"""A segmentation of stacks of slices with few labelled subjects: reading, training, measuring."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from SAMLandmarkLib.core.planes import SlicePlane
from SAMLandmarkLib.io.exams import ExamSlice
from SAMLandmarkLib.io.volume_files import read_volume_file
from SAMLandmarkLib.models.embedding_network import LevelConfig
from SAMLandmarkLib.models.encoder import EmbeddingEncoder, SegmentationNetwork
from SAMLandmarkLib.models.encoder_file import EncoderSource
from SAMLandmarkLib.training.film_appearance import vary_film
from SAMLandmarkLib.training.level_trainer import learning_rate
from SAMLandmarkLib.training.pretrain_config import LEVEL_NAME, SLICE_LEVEL
from SAMLandmarkLib.training.slice_samples import NO_AUGMENTATION, Augmentation, picture, sampled_plane
from SAMLandmarkLib.training.slices import SLICE, PoolSlice, reduced

LEVEL = SLICE_LEVEL
AUGMENTATION = Augmentation(rotation_degrees=15.0, log_scale=0.15, shift_mm=10.0)
BATCH = 8
PAINTING_RATE = 2e-3
STACK = "short axis"


@dataclass(frozen=True, eq=False)
class Subject:
    """A stack as slices, with a mask `[rows, columns]` for each, and the distance between slices."""

    name: str
    slices: list[PoolSlice]
    masks: list[PoolSlice]
    step_mm: float


def read_subject(folder: Path, name: str, structure: str) -> Subject:
    """A stack and its mask, laid out as `chla64`."""
    return _subject(folder / f"{name}_{structure}_ED.nii.gz", folder / f"{name}_{structure}_ED_mask.nii.gz")


def read_contoured(folder: Path) -> dict[str, Subject]:
    """The slices whose left ventricle was contoured, of stacks laid out as `sunnybrook5` (label 1: the cavity)."""
    return {
        path.name.removesuffix("_ED.nii.gz"): _contoured(
            _subject(path, path.with_name(path.name.replace("_ED", "_ED_label")))
        )
        for path in sorted(folder.glob("*_ED.nii.gz"))
    }


def _subject(stack: Path, labels: Path) -> Subject:
    contents, mask = (read_volume_file(path) for path in (stack, labels))
    planes = SlicePlane.of_stack(contents.ijk_to_lps, contents.array.shape[::-1])
    name = stack.name.removesuffix(".nii.gz")
    slices, masks = [], []
    for number, plane in enumerate(planes):
        values = np.asarray(contents.array[number], dtype=np.float32)
        small, grey = reduced(ExamSlice(f"{number}", plane, values), LEVEL.spacing_mm)
        slices.append(PoolSlice(name, STACK, f"{number}", small, grey, {}, None))
        cavity = (np.asarray(mask.array[number]) == 1).astype(np.float32)
        masks.append(PoolSlice(name, STACK, f"{number}", plane, cavity, {}, None))
    step = float(np.linalg.norm(contents.ijk_to_lps[:3, 2]))
    return Subject(name, slices, masks, step)


def _contoured(subject: Subject) -> Subject:
    kept = [number for number, mask in enumerate(subject.masks) if mask.values.any()]
    slices, masks = ([parts[number] for number in kept] for parts in (subject.slices, subject.masks))
    return replace(subject, slices=slices, masks=masks)


def split_of(folder: Path) -> dict[str, list[str]]:
    with (folder / "subjects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {split: [row["subject"] for row in rows if row["split"] == split] for split in ("train", "test")}


def example(subject: Subject, number: int, augmentation: Augmentation, rng: np.random.Generator):
    """A picture `[1,H,W]` and its mask `[H,W]` on one grid."""
    plane = sampled_plane(subject.slices[number].plane, LEVEL, augmentation, rng)
    image = picture(subject.slices[number], plane)
    mask = picture(subject.masks[number], plane)[0] > 0.5
    return (image if augmentation is NO_AUGMENTATION else vary_film(image, LEVEL, rng)), mask


def loss_of(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of `[B,2,1,H,W]` against `[B,H,W]`."""
    scores = logits[:, :, 0]
    truth = masks.long()
    share = functional.softmax(scores, dim=1)[:, 1]
    overlap = 2 * (share * masks).sum() / (share.sum() + masks.sum()).clamp(min=1)
    return functional.cross_entropy(scores, truth) + 1 - overlap


def train(start: EmbeddingEncoder, subjects: Sequence[Subject], steps: int, rate: float, seed: int):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = start.segmentation_head(2)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = [subjects[index] for index in rng.integers(len(subjects), size=BATCH)]
        pairs = [example(s, int(rng.integers(len(s.slices))), AUGMENTATION, rng) for s in chosen]
        images, masks = (torch.stack(part) for part in zip(*pairs, strict=True))
        return images[:, None], masks.float()

    return fit(network, network.parameters(), batch, loss_of, steps, rate)


def fit(
    network: SegmentationNetwork,
    parameters: Iterable,
    batch: Callable[[], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    rate: float,
) -> SegmentationNetwork:
    """The network after so many steps on batches of images and truth.

    `parameters` are weights, or groups of them with learning rates that are taken as shares of `rate`.
    """
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=1e-3)
    for group in optimizer.param_groups:
        group["share"] = group["lr"] / rate
    network.train()
    for step in range(steps):
        set_rate(optimizer, rate, step, steps)
        images, truth = batch()
        wrong = loss(network(images), truth)
        optimizer.zero_grad()
        wrong.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


def set_rate(optimizer: torch.optim.Optimizer, greatest: float, step: int, steps: int) -> None:
    """Warm-up over a tenth of the steps, then a cosine, as in every training of the library; of it each group's share."""
    for group in optimizer.param_groups:
        group["lr"] = group.get("share", 1.0) * learning_rate(
            greatest, max(1, steps // 10), step, step / steps
        )


@torch.no_grad()
def measured(network: SegmentationNetwork, subject: Subject) -> dict[str, float]:
    """Dice in per cent and 95th percentile of the surface distance in mm of a whole stack."""
    rng = np.random.default_rng(0)
    pairs = [example(subject, number, NO_AUGMENTATION, rng) for number in range(len(subject.slices))]
    images, masks = (torch.stack(part) for part in zip(*pairs, strict=True))
    found = network(images[:, None])[:, :, 0].argmax(1).bool().numpy()
    truth = masks.numpy()
    total = found.sum() + truth.sum()
    dice = 100.0 * 2 * (found & truth).sum() / total if total else 100.0
    spacing = (subject.step_mm, LEVEL.spacing_mm, LEVEL.spacing_mm)
    return {"dice": round(float(dice), 3), "hd95_mm": round(hd95(found, truth, spacing), 3)}


def hd95(found: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float, float]) -> float:
    """The greater of both 95th percentiles of the distance from one surface to the other; NaN where one is empty."""
    if not (found.any() and truth.any()):
        return float("nan")
    surfaces = [mask & ~ndimage.binary_erosion(mask, np.ones((1, 3, 3))) for mask in (found, truth)]
    reach = [ndimage.distance_transform_edt(~surface, sampling=spacing_mm) for surface in surfaces]
    return max(
        float(np.percentile(reach[1][surfaces[0]], 95)), float(np.percentile(reach[0][surfaces[1]], 95))
    )


def new_network() -> EmbeddingEncoder:
    torch.manual_seed(0)
    level = LevelConfig(LEVEL_NAME, LEVEL.spacing_mm, LEVEL.network)
    return EmbeddingEncoder.new(level, EncoderSource(SLICE))


def paint(network: EmbeddingEncoder, pictures: Sequence[PoolSlice], steps: int) -> EmbeddingEncoder:
    """The network after it learnt to paint pictures whose looks were changed and parts hidden."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    brush = torch.nn.Conv3d(network.decoded_channels, 1, 1)
    optimizer = torch.optim.AdamW([*network.parameters(), *brush.parameters()], lr=PAINTING_RATE)
    network.train()
    for step in range(steps):
        set_rate(optimizer, PAINTING_RATE, step, steps)
        parts = [pictures[index] for index in rng.integers(len(pictures), size=BATCH)]
        plain = [picture(part, sampled_plane(part.plane, LEVEL, AUGMENTATION, rng)) for part in parts]
        images = torch.stack([vary_film(image, LEVEL, rng) for image in plain])
        wanted = functional.avg_pool3d(torch.stack(plain)[:, None].clamp(min=0), network.strides[0])
        painted = brush(network.decoded(network(images[:, None])))
        loss = (painted - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()
