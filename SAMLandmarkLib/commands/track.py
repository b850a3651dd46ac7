"""`samlandmark track`: lesions over time, their sizes, and the response that RECIST 1.1 makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import CsvFrameOption, JsonOption, OutputOption
from .terminal import (
    VolumeProgress,
    exit_on_error,
    messages,
    print_json,
    print_notes,
    results,
    warnings_as_messages,
)

ScansArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|DIR",
        help="A table of scans (.csv or .json with patient, role, date, volume, landmarks: there the file of the scan's "
        "lesions), a folder of DICOM files, or one of volume files with dates in their names.",
    ),
]
LesionsOption = Annotated[
    Path | None,
    typer.Option(
        "--lesions",
        "-l",
        metavar="FILE|DIR",
        help="The lesions of the baseline: lines of 3D Slicer (.mrk.json), lesions.json, a label map, a DICOM SR; or a "
        "folder with a file for each patient, named by the patient's ID.",
        show_default=False,
    ),
]


@takes_engine_options(*COMPUTING, "max_memory", "profile", *KEEPING)
def track(
    study: ScansArgument,
    output: OutputOption,
    lesions: LesionsOption = None,
    csv_frame: CsvFrameOption = None,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Follow lesions through all dates of each patient: pair, measure, and propose the response by RECIST 1.1.

    Writes DIR/PATIENT/lesions.json, report.html, SCAN.mrk.json (lines), SCAN.sr.dcm for scans from DICOM, and tu.csv, tr.csv
    and rs.csv (CDISC SDTM) about all. Ends with 0 when all patients are done, 1 when some failed, 2 on wrong usage.
    """
    from ..engine.runtime import EngineRuntime
    from ..io.result_files import require_writable
    from ..reporting.picture import require_matplotlib
    from ..tracking.planning import tracking_plan
    from ..tracking.study import track_study

    console = messages()
    with exit_on_error(2, as_json):
        require_matplotlib()
        require_writable(output)
        frame = csv_frame.value if csv_frame else None
        patients = tracking_plan(study, lesions, frame, lambda text: print_notes([text]), output)
        runtime = EngineRuntime(engine)
    with (
        warnings_as_messages(console),
        VolumeProgress(console, len(patients)) as progress,
        exit_on_error(1, as_json),
    ):
        outcome = track_study(runtime, patients, output, frame, progress.volume)
    noted = [f"{history.patient}: {note}" for history in outcome.histories for note in history.notes]
    print_notes([*runtime.notes, *noted, *outcome.notes])
    for patient, reason in outcome.failures.items():
        console.print(f"Error: {patient}: {reason}", style="red")
    code = int(bool(outcome.failures))
    if as_json:
        files = list(map(str, outcome.files))
        print_json({"output": str(output), "files": files, "failures": outcome.failures, "exit_code": code})
        raise typer.Exit(code)
    results().print(f"{len(outcome.histories)} of {len(patients)} patients done.")
    for file in outcome.files:
        results().print(str(file), soft_wrap=True)
    raise typer.Exit(code)
