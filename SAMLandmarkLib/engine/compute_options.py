"""What may be computed with: a device and a memory limit, and those that need less where memory runs out."""

from __future__ import annotations

from dataclasses import dataclass

from ..utils.translation import _

SMALLER_LIMITS = (2 * 2**30, 512 * 2**20)
"""Memory limits that are tried one after another where the one that was set does not fit."""


@dataclass(frozen=True)
class ComputeOption:
    """One option to compute with: a device and a limit for the network's activations."""

    device: str
    max_memory: int | None

    @property
    def text(self) -> str:
        """The option in words, to follow "computed"."""
        where = _("on the CPU") if self.device == "cpu" else _("on the GPU")
        if self.max_memory is None:
            return where
        limited = _("{where} with a memory limit of {size} MiB")
        return limited.format(where=where, size=round(self.max_memory / 2**20))


def options_with_less_memory(device: str, limit: int | None) -> list[ComputeOption]:
    """What is tried in this order where a device with a limit (bytes, None: no limit) runs out of memory."""
    options = [
        ComputeOption(device, smaller) for smaller in SMALLER_LIMITS if limit is None or smaller < limit
    ]
    return options if device == "cpu" else [*options, ComputeOption("cpu", limit)]
