"""The options that tell the engine how to compute are the same in every command, and reach it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from SAMLandmarkLib import cli
from SAMLandmarkLib.commands.engine_options import COMPUTING, KEEPING, takes_engine_options
from SAMLandmarkLib.engine.settings import WorkerSettings

EVERYTHING = {*COMPUTING, *KEEPING, "max_memory", "profile", "pixel_spacing"}


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (cli.transfer, set()),
        (cli.batch, set()),
        (cli.register, {"profile", "pixel_spacing"}),
        (cli.track, {"pixel_spacing"}),
        (cli.evaluate, {"cache_limit", "no_cache"}),
        (cli.calibrate, {"profile", "cache_limit", "no_cache"}),
        (cli.serve, {*KEEPING, "max_memory"}),
        (cli.choose_template, {*KEEPING, "max_memory", "profile"}),
    ],
)
def test_a_command_offers_the_options_that_mean_something_for_it(command, missing):
    offered = inspect.signature(command).parameters
    assert "engine" not in offered
    # a command may have a parameter of its own by such a name, as calibrate has the model and register the profile
    assert EVERYTHING - missing <= set(offered)


def test_what_is_written_on_the_command_line_reaches_the_engine():
    import typer

    seen: list[WorkerSettings] = []

    @takes_engine_options(*COMPUTING, "max_memory", "profile", "pixel_spacing", *KEEPING)
    def show(*, engine: WorkerSettings) -> None:
        seen.append(engine)

    app = typer.Typer()
    app.command()(show)
    line = "--device cpu --precision FP32 --model m.pt --trust-model --max-memory 2G --profile fast"
    line += " --pixel-spacing 0.5 --cache kept --cache-limit 3G"
    for arguments in (line, f"{line} --no-cache", ""):
        done = CliRunner().invoke(app, arguments.split())
        assert done.exit_code == 0, done.output
    assert seen[0] == WorkerSettings(
        "cpu", "fast", 2 * 2**30, Path("kept"), 3 * 2**30, Path("m.pt"), True, None, "fp32", 0.5
    )
    assert seen[1].cache_limit_bytes == 0
    assert seen[2] == WorkerSettings(cache_limit_bytes=10 * 2**30)
