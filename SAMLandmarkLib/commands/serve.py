"""`samlandmark serve`: the workflow in a browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import DEFAULT_CACHE_LIMIT_BYTES, WorkerSettings
from .engine_options import COMPUTING, takes_engine_options
from .options import CsvFrameOption, parse_memory
from .terminal import exit_on_error, messages, warnings_as_messages

_SCAN = "NIfTI, NRRD, MetaImage, or a folder with one DICOM series"
_DEMO_NAMES = ("Baseline CT", "CT 33 days later")

TemplateOption = Annotated[
    Path | None,
    typer.Option("--template", "-t", metavar="SCAN", help=f"The template: {_SCAN}.", show_default=False),
]
LandmarksOption = Annotated[
    Path | None,
    typer.Option(
        "--landmarks",
        "-l",
        metavar="FILE",
        help="Its landmarks: .mrk.json, .fcsv or .csv.",
        show_default=False,
    ),
]
FollowUpsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--follow-up", "-f", metavar="SCAN", help="A scan to carry them to; may be given several times."
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE|auto",
        help="Without a template: find the named landmarks of a bundled protocol or an atlas file on the follow-ups.",
        show_default=False,
    ),
]
DemoOption = Annotated[bool, typer.Option("--demo", help="Open the bundled sample pair.")]
HostOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Where to listen; for other computers a --token is needed.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="0 takes a free one.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        envvar="SAMLANDMARK_TOKEN",
        show_default=False,
        show_envvar=True,
        help="What a browser must know, as http://…/?token=TEXT.",
    ),
]
UploadOption = Annotated[
    int, typer.Option(parser=parse_memory, metavar="SIZE", help="Largest file that the page takes.")
]
OpenOption = Annotated[bool, typer.Option("--open", help="Also open the page in this computer's browser.")]


@takes_engine_options(*COMPUTING, "profile", "pixel_spacing", "modality")
def serve(
    template: TemplateOption = None,
    landmarks: LandmarksOption = None,
    follow_up: FollowUpsOption = None,
    protocol: ProtocolOption = None,
    demo: DemoOption = False,
    csv_frame: CsvFrameOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8765,
    token: TokenOption = None,
    open_page: OpenOption = False,
    max_upload: UploadOption = "2G",
    *,
    engine: WorkerSettings,
) -> None:
    """Carry landmarks in a browser: click on the template, review on the follow-ups, download the results.

    The page serves one browser at a time, on this computer alone unless --host says otherwise. Ends on Ctrl-C; ends
    with 2 where a scan, the landmarks or the port can't be used.
    """
    from ..web import require_web_packages

    with exit_on_error(2), warnings_as_messages(messages()):
        require_web_packages()
        from ..web.request import ServeRequest
        from ..web.server import serve as serve_page

        scans = _scans(template, landmarks, tuple(follow_up or ()), demo)
        request = ServeRequest(
            **scans,
            csv_frame=csv_frame.value if csv_frame else None,
            host=host,
            port=port,
            token=token,
            max_upload_bytes=max_upload,
            # no folder for computed scans: nothing of a patient stays behind
            protocol=_absolute_if_file(protocol),
            worker=replace(engine, cache_limit_bytes=DEFAULT_CACHE_LIMIT_BYTES),
        )
        serve_page(request, partial(_announce, token=token, open_page=open_page))


def _absolute_if_file(protocol: str | None) -> str:
    """The protocol; the engine's process works in another folder, so the path of an atlas file is made absolute."""
    from ..session.protocols import protocol_names

    if protocol and protocol not in protocol_names() and Path(protocol).is_file():
        return str(Path(protocol).absolute())
    return protocol or ""


def _scans(
    template: Path | None, landmarks: Path | None, follow_ups: tuple[Path, ...], demo: bool
) -> dict[str, object]:
    from ..utils.bundled import bundled_folder
    from ..utils.errors import UsageError

    if not demo:
        return {"template": template, "landmarks": landmarks, "follow_ups": follow_ups}
    if template or landmarks or follow_ups:
        raise UsageError("--demo brings its own scans; leave --template, --landmarks and --follow-up away.")
    sample = bundled_folder("SampleData")
    return {
        "template": sample / "template.nii.gz",
        "landmarks": sample / "template.mrk.json",
        "follow_ups": (sample / "followup.nii.gz",),
        "names": _DEMO_NAMES,
    }


def _announce(address: str, token: str | None, open_page: bool) -> None:
    typer.echo(f"SAMLandmark is ready: open {address} in a browser. Ctrl-C ends it.")
    if open_page:
        import webbrowser
        from urllib.parse import quote

        webbrowser.open(address.replace("?token=...", f"?token={quote(token or '')}"))
