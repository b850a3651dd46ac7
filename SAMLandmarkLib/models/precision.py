"""Choice of the arithmetic: bfloat16 where the hardware multiplies it, float32 elsewhere. Training and inference ask here."""

from __future__ import annotations

import logging
import os
import platform

import torch

from ..utils.errors import UsageError
from ..utils.translation import _

logger = logging.getLogger(__name__)

AUTO = "auto"
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
PRECISIONS = (AUTO, *DTYPES)
AMPERE = (8, 0)
"""The first compute capability of CUDA devices with bfloat16 tensor cores."""
_ISA_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""The first that is set binds oneDNN, whose convolutions PyTorch calls."""
_ISAS_WITHOUT_BFLOAT16 = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
)
_ATEN_VARIABLE = "ATEN_CPU_CAPABILITY"
_ATEN_WITHOUT_BFLOAT16 = ("default", "avx2")
_BFLOAT16_OF_X86 = ("avx512_bf16", "amx_bf16")
_OLD_PROBES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def compute_dtype(device: torch.device, precision: str = AUTO) -> torch.dtype:
    """The number format of a precision, "auto", "bf16" or "fp32", on a device.

    "auto" takes bfloat16 where the hardware multiplies it, else float32. Raises UsageError where the precision is
    unknown or the device does not have it.
    """
    if precision == AUTO:
        return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    if precision not in DTYPES:
        unknown = _("Unknown precision '{name}'; use auto, bf16 or fp32.")
        raise UsageError(unknown.format(name=precision))
    if precision == "bf16":
        _require_bfloat16(device)
    return DTYPES[precision]


def precision_name(dtype: torch.dtype) -> str:
    """The name of a number format as the option `--precision` has it.

    >>> precision_name(torch.bfloat16)
    'bf16'
    """
    return next(name for name, each in DTYPES.items() if each is dtype)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device's hardware multiplies bfloat16, in the convolutions that the network is made of."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= AMPERE
    return device.type == "cpu" and not _held_below_bfloat16() and _cpu_multiplies_bfloat16()


def instruction_set() -> str:
    """The processor's vector instructions that PyTorch uses here, such as "AVX2" or "AVX512 with bfloat16"."""
    capability = torch.backends.cpu.get_cpu_capability()
    if multiplies_bfloat16(torch.device("cpu")):
        return f"{capability} with bfloat16"
    return f"{capability}, oneDNN {_onednn_limit()} at most" if _onednn_limit() else capability


def _require_bfloat16(device: torch.device) -> None:
    if device.type == "mps":
        absent = _("The precision bf16 is not to be had on the device {device}; choose auto or fp32.")
        raise UsageError(absent.format(device=str(device)))
    if not multiplies_bfloat16(device):
        emulated = _(
            "The device {device} does not multiply bfloat16 itself; it is emulated, which may take fifty times as long "
            "as fp32."
        )
        logger.warning(emulated.format(device=str(device)))


def _held_below_bfloat16() -> bool:
    """Whether the environment holds PyTorch or oneDNN down to instructions without bfloat16."""
    capability = os.environ.get(_ATEN_VARIABLE, "")
    return _onednn_limit() in _ISAS_WITHOUT_BFLOAT16 or capability in _ATEN_WITHOUT_BFLOAT16


def _onednn_limit() -> str:
    """The instructions that the environment allows oneDNN at most; empty where it says nothing."""
    return next((value.upper() for name in _ISA_VARIABLES if (value := os.environ.get(name))), "")


def _cpu_multiplies_bfloat16() -> bool:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        # ARM has instructions for it, but PyTorch's convolutions in 3D do not use them there
        return False
    probe = getattr(torch.cpu, "get_capabilities", None)
    if probe is not None:
        capabilities = probe()
        return any(capabilities.get(name, False) for name in _BFLOAT16_OF_X86)
    # older versions of PyTorch tell it in private functions only, the oldest not at all
    old = (getattr(torch.cpu, name, None) for name in _OLD_PROBES)
    return any(probe() for probe in old if probe is not None)
