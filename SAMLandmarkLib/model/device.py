"""Choice of the computing device and of the number format on it."""

from __future__ import annotations

import torch

from ..errors import UsageError
from ..translation import _

AMPERE = (8, 0)
"""The first compute capability of CUDA devices with bfloat16 tensor cores."""


def choose_device(name: str = "auto") -> torch.device:
    """Turn "auto", "cpu", "cuda", "cuda:N" or "mps" into a device; "auto" takes CUDA where there is one, else the CPU.

    Raises UsageError where the name is unknown or the device is not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        unknown = _("Unknown device '{name}'; use auto, cpu, cuda, cuda:N or mps.")
        raise UsageError(unknown.format(name=name)) from error
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in available:
        unsupported = _("Unsupported device '{name}'; use auto, cpu, cuda, cuda:N or mps.")
        raise UsageError(unsupported.format(name=name))
    if not available[device.type]:
        absent = _("Device '{name}' is not available on this machine; choose the device auto or cpu.")
        raise UsageError(absent.format(name=name))
    return device


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it faster than float32, else float32."""
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= AMPERE
    else:
        fast = device.type == "cpu" and _cpu_multiplies_bfloat16()
    return torch.bfloat16 if fast else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    # torch tells this in a private function only, and older versions do not have it
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return probe is not None and bool(probe())
