"""All numbers that matching depends on, in one record that the model file holds for each profile.

The defaults are those of the bundled CT model. Lengths are in mm unless a name says cells or steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..utils.errors import ModelError
from .records import bounded, from_json, to_json

LONGEST_MM = 1000.0


@dataclass(frozen=True)
class SearchOptions:
    """Nearest-neighbour search of the embeddings, from the coarser levels to the finest.

    `candidates`: separate peaks of the coarser levels together that are followed up; `separation_cells`, `reach_cells`: least
    distance between them and half side of the box searched around each, in cells of that level; `quick_reach_cells`:
    the same for the support points, of which only the sure ones are used; `coarse_weight`: of each coarser level's
    cosine beside the finest one; `prediction_weight`: penalty of one sigma from the prediction, in units of cosine;
    `prediction_cap`: where that penalty stops growing, so that it can be outvoted; `near_reaches_cells`: half sides of
    the regions around a predicted place that are searched alone, `near_box_reach_cells` of the boxes around the peaks
    in them; `duplicate_mm`: candidates nearer to a better one are not separate; `sub_steps`: places tried per axis
    between -1 and 1 cell from a peak.
    """

    candidates: int = bounded(1, 32, 4)
    separation_cells: int = bounded(0, 16, 2)
    reach_cells: int = bounded(1, 16, 3)
    quick_reach_cells: int = bounded(1, 16, 2)
    coarse_weight: float = bounded(0.0, 100.0, 0.7)
    prediction_weight: float = bounded(1e-6, 100.0, 0.02)
    prediction_cap: float = bounded(1e-6, 100.0, 0.5)
    near_reaches_cells: tuple[int, ...] = bounded(1, 32, (6, 9, 12))
    near_box_reach_cells: int = bounded(1, 16, 2)
    duplicate_mm: float = bounded(0.0, LONGEST_MM, 10.0)
    sub_steps: int = bounded(3, 33, 9)


@dataclass(frozen=True)
class PredictionOptions:
    """Correspondences of a pair, and the local affine maps of them that predict where a point lies.

    `enabled`: whether anything is predicted; `support_points`: matched at most to make correspondences;
    `consistent_mm`: longest cycle error of a correspondence; `least_support`: fewest of them, by weight, that must
    agree; `kernel_mm`: widths of the neighbourhood, of which the narrowest with `enough` is taken; `uncertainty_mm`:
    that every match has, however sure it seems; `shift_tolerance_mm`: how far the shifts of one body may differ;
    `global_cutoffs_mm`: residual at which a correspondence stops counting, tightened from step to step;
    `least_cutoff_mm`: the same for the local map, which cuts off `cutoff_deviations` robust standard deviations;
    `ridge`: weighs as much as so many correspondences `ridge_scale_mm` from the middle; `extrapolation`: uncertainty
    per mm by which a point lies beside the centre of the correspondences that predict it.
    """

    enabled: bool = True
    support_points: int = bounded(1, 100_000, 1000)
    consistent_mm: float = bounded(0.0, LONGEST_MM, 8.0)
    least_support: float = bounded(0.0, 1e5, 10.0)
    kernel_mm: tuple[float, ...] = bounded(0.1, LONGEST_MM, (28.0, 40.0, 80.0, 160.0))
    enough: float = bounded(0.0, 1e5, 16.0)
    uncertainty_mm: float = bounded(1e-3, LONGEST_MM, 1.5)
    local_iterations: int = bounded(1, 100, 6)
    shift_tolerance_mm: float = bounded(0.0, LONGEST_MM, 40.0)
    global_cutoffs_mm: tuple[float, ...] = bounded(0.1, LONGEST_MM, (70.0, 55.0, 45.0, 40.0, 40.0))
    cutoff_deviations: float = bounded(0.1, 100.0, 4.7)
    least_cutoff_mm: float = bounded(0.1, LONGEST_MM, 6.0)
    ridge: float = bounded(1e-6, 1e5, 4.0)
    ridge_scale_mm: float = bounded(0.1, LONGEST_MM, 50.0)
    least_sigma_mm: float = bounded(1e-3, LONGEST_MM, 3.0)
    extrapolation: float = bounded(0.0, 10.0, 0.1)


@dataclass(frozen=True)
class OrganEndOptions:
    """Prediction by ends of organs that thresholds find in both scans (in CT lung apices, carina and poles of the kidneys).

    `enabled`: whether they predict anything; `reach_mm`: how near to one a point must lie; `growth`: by how much more
    uncertain the prediction is for each mm that it lies beside; `apart_mm`: an end that is this far from where the
    correspondences place it is not believed.
    """

    enabled: bool = True
    reach_mm: float = bounded(0.0, LONGEST_MM, 30.0)
    growth: float = bounded(0.0, 10.0, 0.5)
    apart_mm: float = bounded(0.0, LONGEST_MM, 60.0)


@dataclass(frozen=True)
class FusionOptions:
    """Precision-weighted fusion of a match with its prediction.

    `enabled`: whether they are fused; `cycle_share`: part of the cycle error that the way there answers for (ways of
    equal length would make it 0.7); `unlike_images_mm`: how far a refined match may be off where the images around it
    have nothing in common, `unlike_vectors_mm` where the finest vectors have, for a match that was not refined.
    """

    enabled: bool = True
    cycle_share: float = bounded(0.0, 1.0, 0.3)
    unlike_images_mm: float = bounded(0.0, LONGEST_MM, 12.0)
    unlike_vectors_mm: float = bounded(0.0, LONGEST_MM, 15.0)


@dataclass(frozen=True)
class CorrelationStep:
    """One search: `reach` steps of `step_mm` each way, comparing `half` steps each way, weighted by a Gaussian."""

    half: int = bounded(1, 32)
    reach: int = bounded(1, 32)
    step_mm: float = bounded(1e-3, 100.0)
    width_mm: float = bounded(1e-3, LONGEST_MM)


_STEPS = (
    CorrelationStep(6, 3, 3.0, 12.0),
    CorrelationStep(6, 2, 2.0, 8.0),
    CorrelationStep(5, 2, 2.0, 5.0),
)


@dataclass(frozen=True)
class RefinementOptions:
    """Refinement of matches by normalised cross-correlation (NCC) of the images.

    `enabled`: whether matches are refined; `compared`: what of the images, their "intensities" or, where contrasts may
    differ, the "self_similarity" of what surrounds each voxel (MIND); `steps`: wide first and narrower after;
    `evidence_step`: the step, counted from 0, whose NCC is the evidence; `cycle_tolerance_mm`: how much longer the cycle
    of a refined match may be; `flat_variance`: in squared window widths, below which a neighbourhood has no structure to compare.
    """

    enabled: bool = True
    compared: Literal["intensities", "self_similarity"] = "intensities"
    steps: tuple[CorrelationStep, ...] = _STEPS
    evidence_step: int = bounded(0, 63, 1)
    cycle_tolerance_mm: float = bounded(0.0, 1e6, 2.0)
    flat_variance: float = bounded(1e-9, 1.0, 1e-3)


@dataclass(frozen=True)
class AlignmentOptions:
    """Affine alignment of what surrounds a refined match, where both scans show the same tissue.

    `enabled`: whether matches are aligned; `half` steps of `step_mm` each way are compared, weighted by a Gaussian of
    `width_mm`; `iterations`, `damping`, `longest_step_mm`, `largest_strain` (of one iteration) and `gains`, between
    which the contrast of the two scans may differ: of the Gauss-Newton method; `worth_aligning`: least NCC to try,
    `same_tissue` to accept; `unexplained`: share of what the images did not agree in that alignment may leave;
    `greatest_move_mm`: that is accepted.
    """

    enabled: bool = True
    half: int = bounded(2, 32, 7)
    step_mm: float = bounded(1e-3, 100.0, 2.0)
    width_mm: float = bounded(1e-3, LONGEST_MM, 7.0)
    iterations: int = bounded(1, 100, 6)
    damping: float = bounded(1e-9, 100.0, 0.01)
    longest_step_mm: float = bounded(1e-3, LONGEST_MM, 2.0)
    largest_strain: float = bounded(1e-3, 1.0, 0.3)
    gains: tuple[float, float] = bounded(1e-3, 1e3, (0.5, 2.0))
    worth_aligning: float = bounded(-1.0, 1.0, 0.7)
    same_tissue: float = bounded(-1.0, 1.0, 0.9)
    unexplained: float = bounded(0.0, 1.0, 0.7)
    greatest_move_mm: float = bounded(0.0, LONGEST_MM, 6.0)


@dataclass(frozen=True)
class VotingOptions:
    """Vote of the answers of several templates.

    An answer weighs its confidence to the power of `confidence_power`; answers support each other by a Gaussian of
    `kernel_mm`, whose densest place is approached in so many `iterations`.
    """

    kernel_mm: float = bounded(0.1, LONGEST_MM, 10.0)
    confidence_power: float = bounded(0.0, 10.0, 2.0)
    iterations: int = bounded(1, 100, 10)


@dataclass(frozen=True)
class DecisionOptions:
    """From evidence to features, status and reason.

    `unknown_deviation_mm`: stands for a deviation and a sigma where nothing is predicted; `margin_cap`, `border_cap`:
    greatest margin and distance to the border (in sigmas) that count; `vague_sigma_mm`: a prediction less certain than
    that tells nothing about a match; `border_sigmas`: how far outside the target a
    doubtful landmark must be predicted to be missing. Above `inconsistent_cycle_mm`, `far_deviation_mm` and
    `far_deviation_sigmas`, and below `ambiguous_margin`, that is the reason given. Where less than `least_consistent` of
    the template's support points are found in the target and lead back, nothing is called found.
    """

    unknown_deviation_mm: float = bounded(0.0, LONGEST_MM, 30.0)
    margin_cap: float = bounded(0.0, 100.0, 0.5)
    border_cap: float = bounded(0.0, 100.0, 3.0)
    vague_sigma_mm: float = bounded(0.0, LONGEST_MM, 8.0)
    border_sigmas: float = bounded(0.0, 100.0, 0.5)
    inconsistent_cycle_mm: float = bounded(0.0, LONGEST_MM, 10.0)
    far_deviation_mm: float = bounded(0.0, LONGEST_MM, 10.0)
    far_deviation_sigmas: float = bounded(0.0, 100.0, 2.0)
    ambiguous_margin: float = bounded(0.0, 100.0, 0.05)
    least_consistent: float = bounded(0.0, 1.0, 0.0)


@dataclass(frozen=True)
class MatchingOptions:
    """The options of all stages of the matching pipeline. Raises ModelError where they contradict each other."""

    search: SearchOptions = field(default_factory=SearchOptions)
    prediction: PredictionOptions = field(default_factory=PredictionOptions)
    organ_ends: OrganEndOptions = field(default_factory=OrganEndOptions)
    fusion: FusionOptions = field(default_factory=FusionOptions)
    refinement: RefinementOptions = field(default_factory=RefinementOptions)
    alignment: AlignmentOptions = field(default_factory=AlignmentOptions)
    decision: DecisionOptions = field(default_factory=DecisionOptions)
    voting: VotingOptions = field(default_factory=VotingOptions)

    def __post_init__(self) -> None:
        lists = {
            "search.near_reaches_cells": self.search.near_reaches_cells,
            "prediction.kernel_mm": self.prediction.kernel_mm,
        }
        for name, values in lists.items():
            if list(values) != sorted(values):
                raise ModelError(f"matching.{name}: must grow, not be {values}.")
        if not self.prediction.kernel_mm or not self.prediction.global_cutoffs_mm:
            raise ModelError("matching.prediction: kernel_mm and global_cutoffs_mm need at least one value.")
        if not self.refinement.evidence_step < len(self.refinement.steps):
            raise ModelError(
                f"matching.refinement.evidence_step: must be one of the {len(self.refinement.steps)} steps, not "
                f"{self.refinement.evidence_step}."
            )
        low, high = self.alignment.gains
        if not low < high:
            raise ModelError(f"matching.alignment.gains: must go from low to high, not be {low:g}, {high:g}.")

    def changed(self, **groups: dict[str, Any]) -> MatchingOptions:
        """With fields of some groups replaced.

        >>> MatchingOptions().changed(search={"candidates": 1}).search.candidates
        1
        """
        return replace(self, **{name: replace(getattr(self, name), **new) for name, new in groups.items()})

    @property
    def quick(self) -> MatchingOptions:
        """With one candidate in small boxes, not refined: for many points of which only the sure ones will be used."""
        one = {"candidates": 1, "reach_cells": self.search.quick_reach_cells}
        return self.changed(search=one, refinement={"enabled": False})

    def to_json(self) -> dict[str, Any]:
        """All fields in the types that JSON knows."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_json(cls, values: object, where: str = "matching") -> MatchingOptions:
        """The options that `to_json` described; ModelError names a field that is wrong."""
        return from_json(cls, values, where)


def without_images(profiles: Mapping[str, MatchingOptions], profile: str) -> str:
    """Name of the profile for templates whose voxels are not there: this one, or the first that compares no images.

    Raises ModelError where there is none.
    """
    for name in (profile, *profiles):
        if not profiles[name].refinement.enabled:
            return name
    raise ModelError("matching: no profile leaves out the refinement by the images, as an atlas needs.")


PROFILES = {
    "fast": MatchingOptions().changed(refinement={"enabled": False}),
    "accurate": MatchingOptions(),
}
"""How much work a match is worth, as the bundled CT model has it."""

RADIOGRAPH_PROFILES = {
    name: options.changed(
        search={"coarse_weight": 1.5, "near_reaches_cells": (2, 3, 4, 6), "duplicate_mm": 4.0},
        prediction={
            "support_points": 150,
            "consistent_mm": 4.0,
            "kernel_mm": (20.0, 30.0, 50.0, 100.0),
            "shift_tolerance_mm": 60.0,
            "global_cutoffs_mm": (40.0, 25.0, 15.0, 12.0, 10.0),
            "least_sigma_mm": 8.0,
        },
        fusion={"enabled": False},
        refinement={"enabled": False},
        alignment={"enabled": False},
        voting={"kernel_mm": 4.0},
        decision={
            "unknown_deviation_mm": 15.0,
            "inconsistent_cycle_mm": 4.0,
            "vague_sigma_mm": 16.0,
            # films of the view that the model knows have 0.8 or more, spoilt ones 0.45 at most (docs/radiographs.md)
            "least_consistent": 0.6,
        },
    )
    for name, options in PROFILES.items()
}
"""The same for radiographs, where other patients' images look too different for them to refine a match."""

MR_BRAIN_PROFILES = {
    name: options.changed(
        # where contrasts differ the whole head's level errs less than the fine one
        search={"coarse_weight": 2.0},
        refinement={"compared": "self_similarity"},
        alignment={"enabled": False},
    )
    for name, options in PROFILES.items()
}
"""The same for MR of the head, where the template and the target may have any two contrasts."""
