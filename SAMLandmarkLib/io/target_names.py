"""Names for targets and for the files about them, so that no result overwrites another."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .volume_paths import printable, volume_name

MARKUPS_SUFFIX = ".mrk.json"
# What Windows, the strictest of the file systems in use, refuses in a file name.
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')
# File systems take 255 bytes, of which suffixes and the folder's name in front need some.
_LONGEST_NAME_BYTES = 180
# Files that lie beside the patients' folders.
_NAMES_OF_STUDY_FILES = re.compile(
    r"(study\.(csv|json|lock|sqlite)|ledger\.sqlite|report\.html)(-\w+)?", re.IGNORECASE
)


def file_name(target: str, suffix: str) -> str:
    """File name of something about a target, with signs that some file systems refuse replaced.

    Of names that are too long for file systems the end becomes a short checksum.

    >>> file_name("chest 2024/05", ".png")
    'chest 2024_05.png'
    """
    return _shortened(_NOT_IN_FILE_NAMES.sub("_", target)) + suffix


def _shortened(name: str) -> str:
    content = name.encode("utf-8")
    if len(content) <= _LONGEST_NAME_BYTES:
        return name
    kept = content[: _LONGEST_NAME_BYTES - 9].decode("utf-8", "ignore")
    return f"{kept}~{hashlib.sha256(content).hexdigest()[:8]}"


def folder_name(name: str) -> str:
    """Name of a folder for something called `name`; never one that means another folder, or is a study's file.

    >>> folder_name("Müller/Anna"), folder_name(".."), folder_name("case 1.")
    ('Müller_Anna', '__', 'case 1_')
    """
    safe = file_name(name.strip(), "")
    safe = re.sub(r"^\.|[. ]$", "_", safe) or "_"
    return f"{safe}_" if _NAMES_OF_STUDY_FILES.fullmatch(safe) else safe


def markups_name(target: str) -> str:
    """File name of a target's markups."""
    return file_name(target, MARKUPS_SUFFIX)


def collision_key(target: str) -> str:
    """Equal for two targets whose files would be the same on some file system, e.g. one that ignores case."""
    return markups_name(target).casefold()


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """A name for each volume: its file name without the extension, made longer only where that is not unique.

    Files of the same name get their folder's name in front; what is still alike is numbered.

    >>> distinct_names([Path("may/chest.nii.gz"), Path("june/chest.nii.gz"), Path("june/pelvis.mha")])
    ['may_chest', 'june_chest', 'pelvis']
    """
    names = [_name_of(path) for path in paths]
    counts = Counter(map(collision_key, names))
    longer = [
        f"{path.absolute().parent.name}_{name}" if counts[collision_key(name)] > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]
    return numbered_names(longer)


def _name_of(path: Path) -> str:
    return printable(volume_name(path if path.name else path.resolve()))


def numbered_names(names: Sequence[str]) -> list[str]:
    """The names, with a number at the end of each whose files would be the same as those of an earlier one.

    >>> numbered_names(["chest", "pelvis", "Chest"])
    ['chest', 'pelvis', 'Chest_2']
    """
    taken: set[str] = set()
    return [_first_free(name, taken) for name in names]


def _first_free(name: str, taken: set[str]) -> str:
    """`name`, or `name_2`, `name_3`, …, whichever is not in `taken` yet; it is added there."""
    free, number = name, 1
    while collision_key(free) in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(collision_key(free))
    return free
