"""One follow-up: carry the landmarks of the bundled template to its follow-up, check them, and measure between two.

    python examples/follow_up.py OUTPUT_FOLDER

Replace the four paths by your own scan and markups. Positions are LPS mm, as everywhere in the library.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from SAMLandmarkLib import LandmarkSet, Status, TransferEngine, Volume
from SAMLandmarkLib.utils.bundled import bundled_folder

SAMPLE = bundled_folder("SampleData")
PAIR = ("left_renal_artery_origin", "celiac_aorta_inferior_crotch")


def main(output: Path) -> None:
    template = Volume.read(SAMPLE / "template.nii.gz")
    follow_up = Volume.read(SAMPLE / "followup.nii.gz")
    landmarks = LandmarkSet.read(SAMPLE / "template.mrk.json")

    # Scans that are embedded once can be asked for any number of points afterwards.
    engine = TransferEngine(device="cpu")
    template_embedding, follow_up_embedding = engine.embed(template), engine.embed(follow_up)
    result = engine.transfer(template_embedding, landmarks, follow_up_embedding)

    # A landmark is FOUND, DOUBTFUL (look at it) or MISSING (it has no position, and a reason).
    places = {}
    for item in result:
        if item.position_lps is None:
            print(f"{item.label}: not here, because {item.reason}")
            continue
        doubt = f"   ({item.reason})" if item.status is Status.DOUBTFUL else ""
        print(f"{item.label}: {item.position_lps.round(1)}, confidence {item.confidence:.2f}{doubt}")
        places[item.label] = item.position_lps

    # A distance between two landmarks of one scan does not depend on how the patient lay.
    before = {mark.label: mark.position_lps for mark in landmarks if mark.position_lps is not None}
    if all(label in points for points in (before, places) for label in PAIR):
        lengths = [np.linalg.norm(points[PAIR[0]] - points[PAIR[1]]) for points in (before, places)]
        print(f"{' – '.join(PAIR)}: {lengths[0]:.1f} mm, now {lengths[1]:.1f} mm")

    files = result.write(output)
    print("Written:", *(path.name for path in files))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "follow-up-output"))
