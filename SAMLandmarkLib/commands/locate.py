"""`samlandmark locate`: named landmarks found in scans without a template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import FormatsOption, JsonOption, OutputOption
from .terminal import print_json
from .transfer import SeriesOption, carried_out, print_summary

TargetsOption = Annotated[
    list[Path], typer.Option("--target", "-f", metavar="SCAN", help="A scan; may be given several times.")
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A bundled protocol (a wrong name lists all) or an atlas file; by default the one most of whose places "
        "are found.",
        show_default=False,
    ),
]


@takes_engine_options(*COMPUTING, "max_memory", *KEEPING)
def locate(
    target: TargetsOption,
    output: OutputOption,
    protocol: ProtocolOption = None,
    series: SeriesOption = None,
    formats: FormatsOption = None,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Find the named landmarks of a protocol in scans, by the vote of marked atlas patients: no template is needed.

    Writes what transfer writes. Ends with 0 when all targets are done, 1 when some failed (the others are written), 2 on
    wrong usage.
    """
    from .locate_run import LocateCommand, LocateRun

    request = LocateCommand(
        tuple(target), output, protocol, engine, tuple(formats or ()), tuple(series or ())
    )
    outcome = carried_out(
        lambda start_volume: LocateRun(request, start_volume), len(request.targets), as_json
    )
    if as_json:
        print_json(outcome.document())
    elif sys.stdout.isatty():
        print_summary(outcome)
    raise typer.Exit(outcome.exit_code)
