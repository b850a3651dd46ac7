"""Several templates, each with an answer of its own for a landmark: a vote weighted by confidence.

Averaging the templates' vectors instead, as one would with several views of one object, blurs what they have in
common; single answers that agree are evidence, and one that went astray is outvoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.matching_options import VotingOptions
from ..core.results import Candidate, Status, TransferredLandmark
from .confidence import SUREST, Calibration, vote_features
from .decision import is_out_of_place

DEFAULTS = VotingOptions()
DISAGREEMENT = "the templates disagree"
OTHER_PLACE = 0.5
"""An answer that belongs less to the mode is one to another place."""


@dataclass(frozen=True)
class Vote:
    """What several answers to one landmark come to.

    `position_lps` `(3,)`: mode of the answers' density; `lead`: number of the surest answer beside it; `beside` `(s,)`:
    how much each answer belongs to the mode, from 0 to 1; `spread_mm`: weighted distance of these from it.
    """

    position_lps: np.ndarray
    lead: int
    beside: np.ndarray
    spread_mm: float


def vote(positions_lps: np.ndarray, confidence: np.ndarray, options: VotingOptions = DEFAULTS) -> Vote:
    """The vote of answers `(s,3)` with confidences `(s,)`; the mode is found by mean shift from the densest answer."""
    weight = np.maximum(confidence, SUREST) ** options.confidence_power

    def near(place_lps: np.ndarray) -> np.ndarray:
        gap_mm = np.linalg.norm(positions_lps - place_lps, axis=-1)
        kernel: np.ndarray = np.exp(-(gap_mm**2) / (2 * options.kernel_mm**2))
        return kernel

    density = [weight @ near(answer) for answer in positions_lps]
    mode = positions_lps[int(np.argmax(density))]
    for _ in range(options.iterations):
        mode = np.average(positions_lps, axis=0, weights=weight * near(mode))
    beside = near(mode)
    square = ((positions_lps - mode) ** 2).sum(axis=-1)
    spread_mm = float(np.sqrt(np.average(square, weights=weight * beside)))
    return Vote(mode, int(np.argmax(confidence * beside)), beside, spread_mm)


def voted(
    answers: Sequence[TransferredLandmark], calibration: Calibration, options: VotingOptions = DEFAULTS
) -> TransferredLandmark:
    """One answer out of those of several templates to one landmark; the only one where there is one.

    All but position, confidence and what follows from them is that of the surest answer beside the mode. Where that
    one says that the landmark is missing, it is; where its surroundings put it elsewhere, the vote is no surer than it.
    """
    if len(answers) == 1:
        return answers[0]
    places = np.array([_place(answer) for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    result = vote(places, confidence, options)
    lead = answers[result.lead]
    if lead.status is Status.MISSING:
        return lead
    features = vote_features(confidence, result.beside, result.lead)
    sure = float(calibration.vote_confidence(features[None])[0])
    if is_out_of_place(lead):
        # templates err together where what they look for is not shown: from a kidney's pole to the tip of the spleen
        sure = min(sure, lead.confidence)
    status = calibration.status(sure)
    own = Candidate(result.position_lps, lead.similarity)
    return replace(
        lead,
        position_lps=None if status is Status.MISSING else result.position_lps,
        status=status,
        confidence=sure,
        candidates=(own, *_elsewhere(answers, result)),
        reason="" if status is Status.FOUND else lead.reason or DISAGREEMENT,
        uncertainty_mm=float(np.hypot(lead.uncertainty_mm, result.spread_mm)),
    )


def _place(answer: TransferredLandmark) -> np.ndarray:
    """Where an answer is, or would be if it were not too unsure to tell."""
    place = answer.position_lps
    return answer.candidates[0].position_lps if place is None else place


def _elsewhere(answers: Sequence[TransferredLandmark], result: Vote) -> tuple[Candidate, ...]:
    """The answers that do not belong to the mode, the surest first."""
    order = sorted(range(len(answers)), key=lambda number: -answers[number].confidence)
    apart = [answers[number] for number in order if result.beside[number] < OTHER_PLACE]
    return tuple(Candidate(_place(answer), answer.similarity) for answer in apart)
