"""How each level is trained, by default, in CT, on radiographs and in MR of the head."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.network import COARSE_BRANCH, FINE_BRANCH, BranchConfig


@dataclass(frozen=True)
class LevelTraining:
    """How one level is trained.

    `spacing_mm`: voxels the branch sees; `patch_kji`: their number per side; `temperature`: of the loss;
    `softness_mm`: width of the soft target, or, for sampled negatives, the distance from the positive within which
    they hardly count; `hit_mm`: a retrieval within this distance counts as right in the log;
    `task`: what is learnt, a module of `tasks`; `centred_on`: "body" cuts patches about random voxels of the body,
    "image" about the middle of the image, for patches as large as the image; `greatest_shift`: between the two
    views, as a share of half the patch; `cut_share`: how often the field of view is cut along z; `hidden_voxels`:
    sides of the hidden boxes, from and less than; `within_mm`: how far from the true place a place may lie to be told from it
    in the dense task, for levels that are only searched near by (None: everywhere); `teacher`: the model file whose vectors
    the distillation task learns (None: the bundled one). What else is None is as in the whole run.
    """

    spacing_mm: float
    patch_kji: tuple[int, int, int]
    temperature: float
    softness_mm: float
    near_spread_mm: float
    hit_mm: float
    elastic_sd_mm: float
    elastic_spacing_mm: float
    network: BranchConfig
    task: str = "contrastive"
    centred_on: str = "body"
    greatest_shift: float = 0.5
    cut_share: float = 0.0
    hidden_voxels: tuple[int, int] = (8, 25)
    pairs_per_step: int | None = None
    anchors: int | None = None
    learning_rate: float | None = None
    within_mm: float | None = None
    teacher: str | None = None


FINE = LevelTraining(
    spacing_mm=2.0,
    patch_kji=(48, 80, 80),
    temperature=0.1,
    softness_mm=4.0,
    near_spread_mm=10.0,
    hit_mm=5.0,
    elastic_sd_mm=4.0,
    elastic_spacing_mm=40.0,
    network=FINE_BRANCH,
)
COARSE = LevelTraining(
    spacing_mm=4.0,
    patch_kji=(64, 64, 64),
    temperature=0.1,
    softness_mm=12.0,
    near_spread_mm=30.0,
    hit_mm=16.0,
    elastic_sd_mm=8.0,
    elastic_spacing_mm=80.0,
    network=COARSE_BRANCH,
)
BODY = LevelTraining(
    spacing_mm=8.0,
    patch_kji=(48, 48, 56),
    temperature=0.1,
    softness_mm=14.4,
    near_spread_mm=60.0,
    hit_mm=32.0,
    elastic_sd_mm=16.0,
    elastic_spacing_mm=112.0,
    network=BranchConfig(channels=(32, 64, 96, 96), blocks=(1, 1, 1, 1), dimension=64),
    task="dense",
    cut_share=0.5,
    hidden_voxels=(4, 16),
    anchors=192,
)
FILM_WINDOW = ((0.0, 1.0),)
FILM_FINE = LevelTraining(
    spacing_mm=0.4,
    patch_kji=(1, 256, 256),
    temperature=0.08,
    softness_mm=0.6,
    near_spread_mm=4.0,
    hit_mm=1.5,
    elastic_sd_mm=2.0,
    elastic_spacing_mm=25.0,
    network=BranchConfig((24, 48, 64, 80), (1, 1, 1, 1), 48, FILM_WINDOW, 2),
    task="dense",
    greatest_shift=0.2,
    hidden_voxels=(10, 60),
)
FILM_COARSE = LevelTraining(
    spacing_mm=1.2,
    patch_kji=(1, 208, 176),
    temperature=0.08,
    softness_mm=1.5,
    near_spread_mm=10.0,
    hit_mm=4.0,
    elastic_sd_mm=5.0,
    elastic_spacing_mm=40.0,
    network=BranchConfig((24, 48, 72, 96, 96), (1, 1, 1, 1, 1), 48, FILM_WINDOW, 2),
    task="dense",
    centred_on="image",
    greatest_shift=0.2,
    hidden_voxels=(10, 45),
)
FILM_WHOLE = LevelTraining(
    spacing_mm=4.8,
    patch_kji=(1, 56, 48),
    temperature=0.1,
    softness_mm=5.0,
    near_spread_mm=30.0,
    hit_mm=12.0,
    elastic_sd_mm=6.0,
    elastic_spacing_mm=60.0,
    network=BranchConfig((24, 48, 64), (1, 1, 2), 48, FILM_WINDOW, 2),
    task="dense",
    centred_on="image",
    greatest_shift=0.2,
    hidden_voxels=(3, 12),
)
HEAD_WINDOW = ((0.0, 1.0),)
HEAD_FINE = LevelTraining(
    spacing_mm=2.0,
    patch_kji=(56, 56, 56),
    temperature=0.08,
    softness_mm=2.5,
    near_spread_mm=10.0,
    hit_mm=5.0,
    elastic_sd_mm=4.0,
    elastic_spacing_mm=28.0,
    network=BranchConfig((32, 64, 96, 112), (1, 1, 1, 1), 48, HEAD_WINDOW, 3, (1, 2)),
    task="dense",
    greatest_shift=0.25,
    cut_share=0.1,
    hidden_voxels=(6, 24),
    anchors=128,
    within_mm=32.0,
)
HEAD_COARSE = LevelTraining(
    spacing_mm=4.0,
    patch_kji=(56, 60, 48),
    temperature=0.08,
    softness_mm=5.0,
    near_spread_mm=30.0,
    hit_mm=10.0,
    elastic_sd_mm=6.0,
    elastic_spacing_mm=60.0,
    network=BranchConfig((24, 48, 96, 128), (1, 1, 1, 1), 64, HEAD_WINDOW, 3, (1, 2)),
    task="dense",
    centred_on="image",
    greatest_shift=0.2,
    cut_share=0.25,
    hidden_voxels=(4, 14),
    anchors=192,
)
