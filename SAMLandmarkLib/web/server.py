"""Runs the page, and cleans up when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from ..worker import WorkerClient
from ..worker.private_folder import PrivateFolder
from .request import OpenedScans, ServeRequest, check_address, open_scans

Announce = Callable[[str], None]
"""Is told the address when the page is ready."""


def serve(request: ServeRequest, announce: Announce) -> None:
    """Serve the page until the program is interrupted; `announce(address)` is called when it is ready.

    Raises SAMLandmarkError, before anything is started, where scans, landmarks or address can't be used. Worker and
    private folder are gone at the end.
    """
    check_address(request)
    scans = open_scans(request)
    # without a screen VTK draws through EGL, but only finds that out by itself with a warning
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    # trame would take this program's options for its own
    os.environ["TRAME_ARGS"] = ""
    folder = PrivateFolder()
    # a terminal that is closed ends the program as Ctrl-C does, else worker and folder would stay
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with closing(WorkerClient(request.worker)) as worker:
            _run(request, scans, worker, folder.path, announce)
    finally:
        folder.remove()


def _run(
    request: ServeRequest, scans: OpenedScans, worker: WorkerClient, folder: Path, announce: Announce
) -> None:
    # after the environment is set, and because a part of these takes a second to load
    from trame.app import get_server

    from ..scene.application import SceneApplication
    from .controller import WINDOWS, Controller
    from .page import build_page
    from .rpc_errors import hide_traces
    from .user_actions import UserActions

    hide_traces()
    server = get_server("samlandmark", client_type="vue3")
    controller = Controller(server, SceneApplication(), worker)
    UserActions(controller).register(server)
    controller.state.upload_limit = request.max_upload_bytes
    layout = build_page(server, controller.views, tuple(WINDOWS))
    tasks: list[asyncio.Task] = []

    def ready(**_state: Any) -> None:
        controller.views.register()
        controller.choose_protocol(controller.offer_protocol(request.protocol))
        _show_scans(controller, scans)
        worker.start()
        tasks.append(asyncio.get_running_loop().create_task(controller.run()))
        announce(address_of(request, server.port))

    server.controller.on_server_bind.add(_binding(request, controller, folder))
    server.controller.on_server_ready.add(ready)
    try:
        server.start(
            port=request.port, host=request.host, timeout=0, open_browser=False, show_connection_info=False
        )
    finally:
        controller.close()
        _end_tasks()
        del layout


def _binding(request: ServeRequest, controller: Any, folder: Path) -> Callable[[Any], None]:
    """What gives the web server its own routes, and lets nobody in who may not be."""
    from .access import Access
    from .routes import Routes
    from .uploads import Uploads

    access = Access(request.host, request.token)
    uploads = Uploads(
        folder, request.max_upload_bytes, request.worker.pixel_spacing_mm, request.worker.modality
    )
    routes = Routes(controller, uploads, folder)

    def bind(web_server: Any) -> None:
        web_server.app.middlewares.append(access.middleware)
        routes.add_to(web_server.app)

    return bind


def address_of(request: ServeRequest, port: int) -> str:
    """The address to open in a browser; a token is not written out.

    >>> address_of(ServeRequest(host="0.0.0.0", token="correct horse"), 8765)
    'http://0.0.0.0:8765/?token=...'
    """
    host = f"[{request.host}]" if ":" in request.host else request.host
    return f"http://{host}:{port}/{'' if request.token is None else '?token=...'}"


def _show_scans(controller: Any, scans: OpenedScans) -> None:
    if scans.template is not None:
        controller.take_scan(scans.template, "template", scans.landmarks)
    for scan in scans.follow_ups:
        controller.take_scan(scan, "follow-up")


def _end_tasks() -> None:
    """Let the tasks of the views end, which would otherwise complain that they were forgotten."""
    loop = asyncio.get_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
