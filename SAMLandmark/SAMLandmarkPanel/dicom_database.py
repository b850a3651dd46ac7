"""Slicer's DICOM database, where it is open."""

from __future__ import annotations

from typing import Any

import slicer


def openDatabase() -> Any | None:
    """The database into which Slicer imports DICOM files, None where there is none."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


def filesOfDatabase(database: Any) -> list[str]:
    """The files of all series of all patients."""
    studies = [study for patient in database.patients() for study in database.studiesForPatient(patient)]
    series = [one for study in studies for one in database.seriesForStudy(study)]
    return [file for one in series for file in database.filesForSeries(one)]


def filesOfVolume(volumeNode: Any) -> list[str]:
    """The DICOM files that a volume was loaded from, none where the database does not know them."""
    database, uids = openDatabase(), volumeNode.GetAttribute("DICOM.instanceUIDs")
    if database is None or not uids:
        return []
    files = [database.fileForInstance(uid) for uid in uids.split()]
    return files if all(files) else []
