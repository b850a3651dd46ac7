"""Requests and results between the types of the program and those of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.results import TransferredLandmark
from ..utils.errors import UsageError
from ..utils.translation import _, unpack
from .messages import EmbedReply, HeatMapReply, TransferReply, WorkerLocateRequest, WorkerRequest


def transfer_message(request: WorkerRequest) -> dict[str, Any]:
    """A request for landmarks in types of JSON. Raises UsageError where labels and points do not fit together."""
    if isinstance(request, WorkerLocateRequest):
        return {"do": "locate", "target": request.target_key, "protocol": request.protocol}
    return {
        "do": "transfer",
        "template": request.template_key,
        "target": request.target_key,
        "labels": list(request.labels),
        "points_lps": _points(request.labels, request.points_lps),
        "extra_templates": [
            [key, list(labels), _points(labels, points)] for key, labels, points in request.extra_templates
        ],
    }


def transfer_reply(request: WorkerRequest, result: dict[str, Any]) -> TransferReply:
    """The answer to a request for landmarks."""
    answers = tuple(map(TransferredLandmark.from_document, result["answers"]))
    notes, remarks = (tuple(unpack(text) for text in result[name]) for name in ("notes", "remarks"))
    return TransferReply(
        request.template_key, request.target_key, answers, result["provenance"], notes, remarks
    )


def embed_reply(key: str, result: dict[str, Any]) -> EmbedReply:
    """The answer to a scan that was to be embedded."""
    lists = {name: tuple(unpack(text) for text in result[name]) for name in ("warnings", "notes")}
    return EmbedReply(key, **{**result, **lists})


def description(result: dict[str, Any]) -> dict[str, Any]:
    """What computes there, as `WorkerClient.describe` tells it."""
    notes = [unpack(note) for note in result["notes"]]
    return {**result, "device_name": unpack(result["device_name"]), "notes": notes}


def heat_map_reply(template_key: str, target_key: str, result: dict[str, Any]) -> HeatMapReply:
    """The heat map in a file, which is removed. Raises OSError."""
    path = Path(result["file"])
    try:
        array = np.load(path, allow_pickle=False)
    finally:
        path.unlink(missing_ok=True)
    return HeatMapReply(template_key, target_key, array, np.array(result["ijk_to_lps"]))


def _points(labels: Any, points_lps: Any) -> list[list[float] | None]:
    points = np.asarray(points_lps, dtype=float).reshape(-1, 3)
    if len(points) != len(labels):
        uneven = _("There are {labels} labels for {points} points; give each point its label.")
        raise UsageError(uneven.format(labels=len(labels), points=len(points)))
    return [point.tolist() if np.isfinite(point).all() else None for point in points]
