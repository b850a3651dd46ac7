"""Which members Slicer's and CTK's own classes have in every supported version, and the refusal of every other name.

Supported are Slicer 5.10 to 5.13. The list is that of 5.13; what an older one lacks is marked as newer and is refused
as if no version had it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from PySide6 import QtCore, QtWidgets

_LIST = Path(__file__).with_name("slicer_api.json")


@cache
def slicer_api() -> dict[str, dict]:
    """Members by class name: `{"base": name, "members": [...], "properties": [...]}`, as in Slicer's headers.

    `"newer"`, where a class has it, are the members that version 5.10 lacks, with the first version that has them.
    """
    return json.loads(_LIST.read_text(encoding="utf-8"))


@cache
def members_of(class_name: str) -> frozenset[str]:
    """Members that a Slicer or CTK class and its listed bases have in every supported version.

    KeyError where the class is not listed.
    """
    entry = slicer_api()[class_name]
    inherited = members_of(entry["base"]) if entry["base"] in slicer_api() else frozenset()
    return (frozenset(entry["members"]) | inherited) - newer_members_of(class_name).keys()


def newer_members_of(class_name: str) -> dict[str, str]:
    """Members that Slicer 5.10 lacks, with the first version that has them."""
    return slicer_api()[class_name].get("newer", {})


def stands_in(cls: type) -> type:
    """Class decorator: `cls` stands in for Slicer's class of the same name and may have no other public names.

    Raises TypeError, at import, where the stand-in has a member that Slicer's class lacks.
    """
    allowed = (
        members_of(cls.__name__) | _qt_members(cls.__name__) | {"staticMetaObject", "connect", "disconnect"}
    )
    own = {name for name in vars(cls) if not name.startswith("_")}
    if invented := own - allowed:
        raise TypeError(
            f"{cls.__name__} in Slicer has no {', '.join(sorted(invented))}; take it out of the stand-in."
        )
    cls.__getattr__ = _refuse
    return cls


def _qt_members(class_name: str) -> set[str]:
    """Members that a Slicer or CTK class has from the Qt class at the root of its bases."""
    while class_name in slicer_api():
        class_name = slicer_api()[class_name]["base"]
    return set(dir(getattr(QtWidgets, class_name, None) or getattr(QtCore, class_name)))


def _refuse(self: object, name: str) -> None:
    cls = next((c for c in type(self).__mro__ if c.__name__ in slicer_api()), type(self))
    if not name.startswith("_") and name in members_of(cls.__name__):
        raise AttributeError(
            f"{cls.__name__}.{name} exists in Slicer, but the stand-in lacks it; add it there."
        )
    for listed in (c.__name__ for c in cls.__mro__ if c.__name__ in slicer_api()):
        if version := newer_members_of(listed).get(name):
            raise AttributeError(f"{listed}.{name} exists from Slicer {version} on only; 5.10 lacks it.")
    raise AttributeError(f"{cls.__name__} in Slicer has no member '{name}'.")
