"""Choice of the computing device."""

from __future__ import annotations

import torch

from ..utils.errors import UsageError
from ..utils.translation import _


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
