"""Sentences about what a header leaves open, alike for every format, and the units of its lengths."""

from __future__ import annotations

NO_PLACE = "its header doesn't say where the patient lies, so landmarks of other files can't be placed in it."
NO_FRAME = (
    "its header doesn't say in which frame of the patient its axes are meant; LPS is assumed, so left and right may "
    "be swapped."
)
NO_DIRECTION = (
    "its header doesn't say in which directions its axes run; LPS is assumed, so left and right may be "
    "swapped."
)
NO_SPACING = "its header doesn't say how large its voxels are; 1 mm is assumed, so lengths may be wrong."

_MM_PER_UNIT = {
    "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
    "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0,
    "m": 1000.0, "meter": 1000.0, "meters": 1000.0, "metre": 1000.0, "metres": 1000.0,
    "um": 0.001, "\N{MICRO SIGN}m": 0.001, "\N{GREEK SMALL LETTER MU}m": 0.001, "micron": 0.001,
    "microns": 0.001, "micrometer": 0.001, "micrometers": 0.001,
}  # fmt: skip
_NO_UNITS = ("", "?", "???", "none")


def unit_in_mm(unit: str) -> tuple[float, tuple[str, ...]]:
    """How many mm one `unit` of a header is, and doubts about that; 1 where the header names none.

    >>> unit_in_mm("cm")[0]
    10.0
    """
    name = unit.strip().lower()
    if name in _NO_UNITS:
        return 1.0, ()
    if name not in _MM_PER_UNIT:
        return 1.0, (f"its header counts in {unit[:20]!r}, which is no unit of length; mm is assumed.",)
    factor = _MM_PER_UNIT[name]
    if factor == 1.0:
        return 1.0, ()
    doubt = (
        f"its header counts in {name}, which is turned into mm here; 3D Slicer and other programs take the numbers "
        "for mm, so that landmarks placed there lie elsewhere."
    )
    return factor, (doubt,)
