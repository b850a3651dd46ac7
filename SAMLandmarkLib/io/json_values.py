"""Values of Python and NumPy in the types of JSON, and numbers for tables."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np


def to_json(value: Any) -> Any:
    """`value` in JSON's own types: arrays become lists, paths text, and numbers that are not finite null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, os.PathLike) else value


def number_text(value: float | None, digits: int) -> str:
    """A number for a table, empty where there is none."""
    return f"{value:.{digits}f}" if value is not None and math.isfinite(value) else ""
