"""`samlandmark choose-template`: which scan of a folder to mark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, takes_engine_options
from .options import JsonOption
from .terminal import VolumeProgress, exit_on_error, messages, print_json, results, warnings_as_messages

if TYPE_CHECKING:
    from ..engine.template_choice import TemplateScore

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Scans of one modality, of different patients.")
]
_SHOWN = 10


@takes_engine_options(*COMPUTING, "pixel_spacing", "modality")
def choose_template(
    folder: FolderArgument,
    partners: Annotated[int, typer.Option(min=1, help="Others that each scan is compared with.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of those others.")] = 0,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Find the scan of a folder that represents the others best, without any landmark: the one to mark as template.

    Ends with 2 on wrong usage or unreadable scans.
    """
    with exit_on_error(2, as_json):
        ranked = _ranked(folder, replace(engine, cache_limit_bytes=0), partners, seed)
    if as_json:
        print_json([{"file": str(score.path), "similarity": round(score.similarity, 4)} for score in ranked])
        return
    _print(ranked)


def _ranked(folder: Path, settings: WorkerSettings, partners: int, seed: int) -> list[TemplateScore]:
    from ..engine.embedded_folder import embedded_folder
    from ..engine.runtime import EngineRuntime
    from ..engine.template_choice import rank_templates

    console = messages()
    runtime = EngineRuntime(settings)
    with warnings_as_messages(console), VolumeProgress(console, 2) as progress:
        scans = embedded_folder(runtime, folder, progress.volume("reading"))
        return rank_templates(list(scans), scans.__getitem__, partners, seed, progress.volume("comparing"))


def _print(ranked: list[TemplateScore]) -> None:
    from rich.table import Table

    table = Table("scan", "mean similarity of its points to the others")
    for score in ranked[:_SHOWN]:
        table.add_row(score.path.name, f"{score.similarity:.3f}")
    results().print(table)
    typer.echo(ranked[0].path)
