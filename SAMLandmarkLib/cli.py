"""The `samlandmark` command."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from . import __version__
from .commands.atlas import atlas_build
from .commands.batch import batch
from .commands.benchmark import benchmark
from .commands.calibrate import calibrate
from .commands.choose_template import choose_template
from .commands.demo import demo
from .commands.evaluate import evaluate
from .commands.export import export
from .commands.locate import locate
from .commands.model_encoder import model_encoder
from .commands.model_export import model_export
from .commands.planes import planes
from .commands.pretrain import pretrain
from .commands.register import register
from .commands.report import report
from .commands.serve import serve
from .commands.study_export import study_export
from .commands.terminal import messages
from .commands.track import track
from .commands.train import train
from .commands.transfer import transfer
from .utils.failures import torch_failure

app = typer.Typer(
    name="samlandmark",
    help="Carry anatomical landmarks from one CT to another. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for command in (
    transfer,
    locate,
    register,
    batch,
    track,
    choose_template,
    report,
    demo,
    evaluate,
    benchmark,
    train,
    pretrain,
    planes,
    calibrate,
    serve,
):
    app.command()(command)
# the form of model export and study export up to version 0.3
app.command(hidden=True)(export)

study_app = typer.Typer(help="A study of many scans: run, report and export.", no_args_is_help=True)
for name, command in (("run", batch), ("report", report), ("export", study_export)):
    study_app.command(name)(command)
app.add_typer(study_app, name="study")

model_app = typer.Typer(
    help="Model files: export from a training run, calibrate, weights for other networks.",
    no_args_is_help=True,
)
for name, command in (("export", model_export), ("calibrate", calibrate), ("encoder", model_encoder)):
    model_app.command(name)(command)
app.add_typer(model_app, name="model")

atlas_app = typer.Typer(help="Atlases: protocols of landmarks that need no template.", no_args_is_help=True)
atlas_app.command("build")(atlas_build)
app.add_typer(atlas_app, name="atlas")


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


def _missing_package(error: Exception) -> str:
    """What to say where a package of this library is missing, as training is in Slicer; empty for another error."""
    parts = (getattr(error, "name", None) or "").split(".")
    if not isinstance(error, ModuleNotFoundError) or parts[0] != __package__ or len(parts) == 1:
        return ""
    missing = (
        "This installation comes without '{package}', as the one inside Slicer does; get all of it with: "
    )
    return missing.format(package=parts[1]) + "pip install samlandmark"


def main() -> None:
    """Run the command that `sys.argv` names."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what the terminal's encoding does not.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        if not (sentence := torch_failure(error) or _missing_package(error)):
            raise
        messages().print(f"Error: {sentence}", style="red")
        sys.exit(2)
