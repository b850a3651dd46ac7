"""A study: write a table of scans, carry everybody's landmarks, and read the results back as one table.

    python examples/study.py OUTPUT_FOLDER

The study is two small patients cut from the bundled pair. With your own scans only the table is needed: a line for
each scan with patient, role (template or follow-up), date, file, and the landmarks of the templates.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

from SAMLandmarkLib.evaluation.demo_study import write_small_study


def main(output: Path) -> None:
    manifest = write_small_study(output / "scans", patients=2, follow_ups=1)
    print(manifest.read_text())

    # The same command with --resume goes on after an interruption, and computes only what is missing or has changed.
    samlandmark = [sys.executable, "-m", "SAMLandmarkLib"]
    results = output / "results"
    subprocess.run(
        [*samlandmark, "batch", str(manifest), "--output", str(results), "--device", "cpu"], check=True
    )
    subprocess.run([*samlandmark, "report", str(results)], check=True)

    # study.csv has a row for each patient, scan and landmark.
    with open(results / "study.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = Counter((row["patient"], row["status"]) for row in rows)
    for (patient, status), count in sorted(counts.items()):
        print(f"{patient}: {count} {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "study-output"))
