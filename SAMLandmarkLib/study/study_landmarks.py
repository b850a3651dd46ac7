"""Which file holds the landmarks of which patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..io.target_names import file_name
from ..utils.errors import UsageError

_SUFFIXES = (".mrk.json", ".fcsv", ".csv")


def landmarks_of_patients(landmarks: Path, patients: Sequence[str]) -> dict[str, Path]:
    """The file of each patient that has one; `landmarks` is the only patient's file, or a folder with all.

    Files in a folder are called like the patients. Raises UsageError where a file is given for several patients, two
    files are of one patient, or the folder holds none of any.
    """
    if not landmarks.exists():
        raise UsageError(f"{landmarks} does not exist; check the path of the landmarks.")
    if not landmarks.is_dir():
        return _of_only_patient(landmarks, patients)
    found = {patient: _file_of(patient, landmarks) for patient in patients}
    files = {patient: path for patient, path in found.items() if path is not None}
    if patients and not files:
        wanted = file_name(patients[0], _SUFFIXES[0])
        raise UsageError(
            f"{landmarks} holds landmarks of none of the {len(patients)} patients; name the files by the patients' "
            f"ids, for example {wanted}, or .fcsv or .csv instead of {_SUFFIXES[0]}."
        )
    return files


def _of_only_patient(landmarks: Path, patients: Sequence[str]) -> dict[str, Path]:
    if len(patients) > 1:
        raise UsageError(
            f"{landmarks} is one file, but there are {len(patients)} patients; give a folder with a file for each, "
            f"named by the patient's id, for example {file_name(patients[0], _SUFFIXES[0])}. To carry the landmarks "
            "of one scan to all of them, name it as the template."
        )
    return dict.fromkeys(patients, landmarks)


def _file_of(patient: str, folder: Path) -> Path | None:
    paths = [path for suffix in _SUFFIXES if (path := folder / file_name(patient, suffix)).is_file()]
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        raise UsageError(f"{folder}: {names} are both of patient {patient}; remove all but one.")
    return paths[0] if paths else None
