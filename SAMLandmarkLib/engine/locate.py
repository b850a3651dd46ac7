"""Landmarks of a protocol found without a template: each marked patient of an atlas is one, and their answers vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.matching_options import without_images
from ..core.results import Status, TransferredLandmark, TransferResult
from ..embedding.embedding import Embedding
from ..utils.progress import Progress
from ..utils.translation import _
from .atlas import Atlas
from .protocols import ProtocolChoice, protocol_files

if TYPE_CHECKING:
    from .transfer import TransferEngine

LEAST_AGREEING = 0.2
"""Where less of every patient is found in one arrangement, the scan shows another part of the body (docs/atlas.md)."""
NOT_SHOWN = "the scan does not show what the protocol is of"


def located(
    engine: TransferEngine,
    target: Embedding,
    protocol: Atlas | ProtocolChoice = None,
    progress: Progress | None = None,
) -> TransferResult:
    """See `TransferEngine.locate`."""
    if isinstance(protocol, Atlas):
        atlases: Sequence[Atlas] = [protocol]
    else:
        atlases = [engine.atlas(path) for path in protocol_files(protocol)]
    parts = [
        [engine.matcher(patient, target).agreeing_part for patient, _landmarks in atlas.patients]
        for atlas in atlases
    ]
    means = [float(np.mean(part)) for part in parts]
    chosen = int(np.argmax(means))
    result = _with_atlas(engine, target, atlases[chosen], parts[chosen], progress)
    if len(atlases) == 1:
        return result
    choice = _choice([atlas.name for atlas in atlases], means, chosen)
    return _with_more(result, choice=choice)


def _with_atlas(
    engine: TransferEngine,
    target: Embedding,
    atlas: Atlas,
    parts: Sequence[float],
    progress: Progress | None,
) -> TransferResult:
    """The vote of an atlas's patients, the most alike first; nothing where the target is like none of them."""
    order = np.argsort(-np.array(parts), kind="stable")
    (first, landmarks), *others = [atlas.patients[number] for number in order]
    result = engine.transfer(first, landmarks, target, progress, others)
    about = {**atlas.describe(), "agreeing_part": round(max(parts), 4), "choice": "", "doubts": []}
    provenance = {**result.provenance, "atlas": about}
    profile = without_images(engine.model.metadata.matching, engine.profile)
    provenance["settings"] = {**provenance["settings"], "profile": profile}
    file = None if atlas.source is None else str(atlas.source)
    provenance["sources"] = {**provenance["sources"], "template": file, "landmarks": file}
    result = replace(result, template=f"atlas {atlas.name}", provenance=provenance)
    return result if max(parts) >= LEAST_AGREEING else _not_shown(result, atlas, max(parts))


def _with_more(result: TransferResult, **said: object) -> TransferResult:
    """With more said about the atlas in the provenance."""
    return replace(result, provenance={**result.provenance, "atlas": {**result.provenance["atlas"], **said}})


def _not_shown(result: TransferResult, atlas: Atlas, part: float) -> TransferResult:
    doubt = _(
        "it does not show what the protocol '{protocol}' is of: only {percent} % of the places of the most similar atlas patient "
        "are found in it in one arrangement; all landmarks are called missing."
    )
    said = doubt.format(protocol=atlas.name, percent=round(100 * part))
    return _with_more(replace(result, items=tuple(map(_missing, result))), doubts=[said])


def _missing(answer: TransferredLandmark) -> TransferredLandmark:
    return replace(answer, status=Status.MISSING, position_lps=None, confidence=0.0, reason=NOT_SHOWN)


def _choice(names: Sequence[str], means: Sequence[float], chosen: int) -> str:
    """Which protocol was chosen, and what speaks for it."""
    said = _(
        "The protocol '{protocol}' was chosen: {percent} % of its patients' places are found in the scan in one arrangement; "
        "others: {others}."
    )
    others = [f"{name} {mean:.0%}" for name, mean in zip(names, means, strict=True) if name != names[chosen]]
    return said.format(protocol=names[chosen], percent=round(100 * means[chosen]), others=", ".join(others))
