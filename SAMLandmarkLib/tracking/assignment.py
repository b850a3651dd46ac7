"""Which lesion of one date is which of another: the pairs, new and vanished ones of least total cost.

Costs are -2 ln of likelihoods, so that differences are log likelihood ratios: the squared Mahalanobis distance between
where a lesion was carried and where one is marked, and the squared logarithm of how it has grown. Not to pair two is
what it costs that the one vanished and a new one lies there by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .carried import LEAST_SIGMA_MM, Carried


@dataclass(frozen=True)
class AssignmentOptions:
    """How lesions are paired.

    No pair is farther apart than `gate_mm`, nor than `gate` in squared standard deviations (16.3: three degrees of
    freedom, p = 0.001). A lesion's own radius counts as `radius_share` of a standard deviation; sizes differ with a
    standard deviation of `growth_sd` in the logarithm; another organ costs `organ_cost`. `new_prior` and `vanish_prior`
    are how often a lesion is new or gone; larger ones vanish more seldom, by the power `vanish_power` of their diameter
    over 10 mm. Within `gate_mm` new lesions lie anywhere. What was last seen two dates before costs `skip_cost` more.
    """

    gate_mm: float = 30.0
    gate: float = 16.3
    radius_share: float = 0.5
    growth_sd: float = 0.5
    organ_cost: float = 4.0
    new_prior: float = 0.13
    vanish_prior: float = 0.1
    vanish_power: float = 1.0
    skip_cost: float = 1.0


DEFAULTS = AssignmentOptions()
FAR = 1e6
"""A cost that no assignment takes where there is another."""


@dataclass(frozen=True, eq=False)
class Sizes:
    """Longest diameters `(n,)` mm, NaN where unknown, and organs, "" where unknown."""

    diameters_mm: np.ndarray
    organs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Pairing:
    """The row of the marked lesion for each earlier one `(n,)`, -1 for none; how sure that is `(n,)`, from 0 to 1.

    `new` `(m,)` tells which marked lesions belong to no earlier one, `new_confidence` `(m,)` how sure that is.
    """

    rows: np.ndarray
    confidence: np.ndarray
    new: np.ndarray
    new_confidence: np.ndarray


def pair_costs(
    carried: Carried,
    before: Sizes,
    marked_lps: np.ndarray,
    after: Sizes,
    skipped: np.ndarray | None = None,
    options: AssignmentOptions = DEFAULTS,
) -> np.ndarray:
    """Costs `(n, m)` of the pairs of n earlier lesions and m marked places `(m, 3)` LPS mm; FAR beyond the gates.

    `skipped` `(n,)` tells which were last seen two dates before.
    """
    steps = marked_lps[None] - carried.positions_lps[:, None]
    distance_mm = np.linalg.norm(steps, axis=-1)
    mahalanobis = distance_mm**2 / variance(carried, before, options)[:, None]
    with np.errstate(invalid="ignore"):
        growth = np.log(after.diameters_mm[None] / before.diameters_mm[:, None])
    size = np.nan_to_num(growth) ** 2 / options.growth_sd**2
    organ = np.array([[bool(a and b and a != b) for b in after.organs] for a in before.organs])
    cost = mahalanobis + size + options.organ_cost * organ.reshape(distance_mm.shape)
    if skipped is not None:
        cost = cost + options.skip_cost * skipped[:, None]
    costs: np.ndarray = np.where((distance_mm > options.gate_mm) | (mahalanobis > options.gate), FAR, cost)
    return costs


def variance(carried: Carried, before: Sizes, options: AssignmentOptions = DEFAULTS) -> np.ndarray:
    """Variance `(n,)` mm² along each axis of where an earlier lesion is marked."""
    radius_mm = np.nan_to_num(before.diameters_mm) / 2
    spread: np.ndarray = (
        np.maximum(carried.sigma_mm, LEAST_SIGMA_MM) ** 2 + (options.radius_share * radius_mm) ** 2
    )
    return spread


def vanish_costs(carried: Carried, before: Sizes, options: AssignmentOptions = DEFAULTS) -> np.ndarray:
    """What it costs `(n,)` that an earlier lesion is gone, and that what lies in its place does so by chance."""
    log_volume = np.log(4 / 3 * np.pi * options.gate_mm**3)
    log_spread = 1.5 * np.log(2 * np.pi * variance(carried, before, options))
    larger = np.maximum(np.nan_to_num(before.diameters_mm), 10.0) / 10.0
    prior = np.log(options.vanish_prior) - options.vanish_power * np.log(larger)
    costs: np.ndarray = -2 * prior + 2 * np.maximum(log_volume - log_spread, 0.0)
    return costs


def assign(costs: np.ndarray, vanish: np.ndarray, options: AssignmentOptions = DEFAULTS) -> Pairing:
    """The pairing of least total cost, from `(n, m)` costs of pairs and `(n,)` of vanishing.

    The confidence of each decision is the likelihood ratio to the best pairing without it.
    """
    n, m = costs.shape
    square = _with_dummies(costs, vanish, -2 * np.log(options.new_prior))
    best, columns = _solved(square)
    rows = np.where(columns[:n] < m, columns[:n], -1)
    margins = np.array([_margin(square, best, row, columns[row], n, m) for row in range(n)])
    new = np.ones(m, dtype=bool)
    new[rows[rows >= 0]] = False
    owner = np.empty(n + m, dtype=int)
    owner[columns] = np.arange(n + m)
    of_marks = np.array([_margin(square, best, owner[column], column, n, m) for column in range(m)])
    return Pairing(rows, _probability(margins), new, _probability(of_marks))


def _with_dummies(costs: np.ndarray, vanish: np.ndarray, new: float) -> np.ndarray:
    """The square matrix `(n + m, n + m)`: a dummy column for each earlier lesion, a dummy row for each marked one."""
    n, m = costs.shape
    square = np.zeros((n + m, n + m))
    square[:n, :m] = costs
    square[:n, m:] = np.where(np.eye(n, dtype=bool), vanish[:, None], FAR)
    square[n:, :m] = np.where(np.eye(m, dtype=bool), new, FAR)
    return square


def _solved(square: np.ndarray) -> tuple[float, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(square)
    return float(square[rows, columns].sum()), columns


def _margin(square: np.ndarray, best: float, row: int, column: int, n: int, m: int) -> float:
    """How much more the best pairing costs in which this row does not have this column."""
    other = square.copy()
    other[row, column] = FAR
    return _solved(other)[0] - best


def _probability(margins: np.ndarray) -> np.ndarray:
    """Probability of a decision against the next best one, from the difference of their -2 ln likelihoods."""
    probability: np.ndarray = 1 / (1 + np.exp(-np.minimum(margins, 100.0) / 2))
    return probability


@dataclass(frozen=True)
class Joined:
    """Earlier lesions by number that merged into another, and marked ones that are parts of an earlier lesion."""

    merged_into: dict[int, int]
    split_from: dict[int, int]


def merges_and_splits(
    carried: Carried, before: Sizes, marked_lps: np.ndarray, after: Sizes, pairing: Pairing
) -> Joined:
    """Earlier lesions without a pair inside a marked one that has another, and new ones inside an earlier one's place.

    A lesion takes another one in only where it is longer than it was before; a part is shorter than the whole was.
    """
    distance_mm = np.linalg.norm(marked_lps[None] - carried.positions_lps[:, None], axis=-1)
    grown, was = np.nan_to_num(after.diameters_mm), np.nan_to_num(before.diameters_mm)
    slack_mm = np.maximum(carried.sigma_mm, LEAST_SIGMA_MM)
    pairs = {int(column): row for row, column in enumerate(pairing.rows) if column >= 0}
    merged, split = {}, {}
    for row in np.flatnonzero(pairing.rows < 0):
        inside = [
            column
            for column, owner in pairs.items()
            if distance_mm[row, column] <= grown[column] / 2 + slack_mm[row] and grown[column] > was[owner]
        ]
        if inside:
            merged[int(row)] = pairs[min(inside, key=lambda column: distance_mm[row, column])]
    for column in np.flatnonzero(pairing.new):
        around = [
            row
            for row in pairs.values()
            if distance_mm[row, column] <= was[row] / 2 + slack_mm[row] and 0 < grown[column] < was[row]
        ]
        if around:
            split[int(column)] = min(around, key=lambda row: distance_mm[row, column])
    return Joined(merged, split)
