"""The `samlandmark` command."""

from __future__ import annotations

from typing import Annotated

import typer

from . import __version__
from .commands.batch import batch
from .commands.benchmark import benchmark
from .commands.calibrate import calibrate
from .commands.demo import demo
from .commands.evaluate import evaluate
from .commands.export import export
from .commands.report import report
from .commands.serve import serve
from .commands.train import train
from .commands.transfer import transfer

app = typer.Typer(
    name="samlandmark",
    help="Carry anatomical landmarks from one CT to another. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for command in (transfer, batch, report, demo, evaluate, benchmark, train, export, calibrate, serve):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"samlandmark {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that `sys.argv` names."""
    app()
