"""What a lesion counts for, as one line of text, for files that have no field of their own for it."""

from __future__ import annotations

import re

from ..core.lesions import Lesion, Role
from ..utils.errors import LesionError
from ..utils.translation import _

_NON_TARGET = re.compile(r"NT[\s_-]*\d", re.IGNORECASE)
_NEW = re.compile(r"N\d", re.IGNORECASE)
_NODE = re.compile(r"(LN|node)(?![a-z])", re.IGNORECASE)


def details_text(lesion: Lesion) -> str:
    """A lesion's role, organ, site and UID in one line.

    >>> details_text(Lesion("T1", is_node=True, organ="lymph node", uid="2.25.1"))
    'role=TARGET; node; organ=lymph node; uid=2.25.1'
    """
    parts = [f"role={lesion.role.value}", "node" if lesion.is_node else ""]
    parts += [
        f"{name}={value}" for name in ("organ", "site", "uid") if (value := _plain(getattr(lesion, name)))
    ]
    return "; ".join(part for part in parts if part)


def lesion_from(name: str, details: str, where: str) -> Lesion:
    """The lesion that a name and such a line tell; what the line leaves out is told by the name.

    NT1 is no target, N1 new, LN and node are nodes, all others targets. Raises LesionError, which says `where` it stands,
    for a role that there is not.
    """
    values = {
        key.strip().lower(): value.strip()
        for key, _sign, value in (part.partition("=") for part in details.split(";"))
    }
    role = values.get("role", "").upper().replace("-", "_")
    if role and role not in Role.__members__:
        told = _("{where}: {role!r} is no role of a lesion; write one of {known}.")
        raise LesionError(
            told.format(where=where, role=values["role"][:80], known=", ".join(Role.__members__))
        )
    return Lesion(
        name,
        Role[role] if role else _role_of(name),
        "node" in values or bool(_NODE.search(name)),
        values.get("site", ""),
        values.get("organ", ""),
        values.get("uid", ""),
    )


def _role_of(name: str) -> Role:
    if _NON_TARGET.match(name):
        return Role.NON_TARGET
    return Role.NEW if _NEW.match(name) else Role.TARGET


def _plain(text: str) -> str:
    """A text without the signs that part this line."""
    return text.replace(";", ",").replace("=", ":").strip()
