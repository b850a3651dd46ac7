"""The bundled pair of CT scans in Slicer's Sample Data module: nothing is downloaded."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

CATEGORY = "SAMLandmark"
PAIR_SAMPLE = "SAMLandmarkPair"
TEMPLATE_NAME = "SAMLandmarkTemplate"
POINTS_NAME = "SAMLandmarkTemplatePoints"
FOLLOW_UP_NAME = "SAMLandmarkFollowUp"

# File in Resources/SampleData, name of the node, kind of file for Slicer, SHA-256.
SAMPLES = (
    (
        "template.nii.gz",
        TEMPLATE_NAME,
        "VolumeFile",
        "785b045fdc03010b86e82c455b79fbb1d6fab29fd8aa318731ad34a39523f7db",
    ),
    (
        "template.mrk.json",
        POINTS_NAME,
        "MarkupsFile",
        "a7e965a0b1a4cc090827474563305f5eaaaba96a5a6fde3b3ebeb3c732cc502c",
    ),
    (
        "followup.nii.gz",
        FOLLOW_UP_NAME,
        "VolumeFile",
        "62fab289ab2c558378cad5ed644532c43d5ef07662e613a7451629b862b91fbc",
    ),
)


def registerSampleData() -> None:
    """Offer the template scan, its points and the follow-up scan as one sample; a second call changes nothing.

    Needs the library to be importable; raises SAMLandmarkError where the bundled files are missing.
    """
    import SampleData

    from SAMLandmarkLib.utils.bundled import bundled_folder

    folder = bundled_folder("SampleData")
    icons = Path(__file__).resolve().parents[1] / "Resources" / "Icons"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=PAIR_SAMPLE,
        thumbnailFileName=str(icons / f"{PAIR_SAMPLE}.png"),
        uris=[(folder / file).as_uri() for file, *_ in SAMPLES],
        fileNames=[f"{node}{''.join(Path(file).suffixes)}" for file, node, *_ in SAMPLES],
        nodeNames=[node for _, node, *_ in SAMPLES],
        loadFileType=[kind for *_, kind, _ in SAMPLES],
        checksums=[f"SHA256:{checksum}" for *_, checksum in SAMPLES],
    )


def loadPair() -> tuple[Any, Any, Any]:
    """Load the sample pair: the nodes of template, points and follow-up."""
    import SampleData
    import slicer

    registerSampleData()
    SampleData.SampleDataLogic().downloadSamples(PAIR_SAMPLE)
    return tuple(slicer.util.getNode(name) for name in (TEMPLATE_NAME, POINTS_NAME, FOLLOW_UP_NAME))


def knownPlaces() -> dict[str, tuple[float, float, float]]:
    """The points that were found independently in the follow-up of the pair, LPS mm."""
    from SAMLandmarkLib.utils.bundled import bundled_folder

    with open(bundled_folder("SampleData") / "followup.csv", encoding="utf-8", newline="") as file:
        return {row["label"]: tuple(float(row[axis]) for axis in "xyz") for row in csv.DictReader(file)}
