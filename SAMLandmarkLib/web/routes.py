"""What the page sends and fetches outside of the websocket: scans up, results down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from ..utils.errors import SAMLandmarkError
from .controller import Controller
from .downloads import DOWNLOAD_NAME, write_download
from .uploads import Uploads

_ROLES = ("template", "follow-up")
# Another site can't make a browser send this along without asking first.
_OWN_HEADER = "X-SAMLandmark"
_BLOCK = 1 << 20


class Routes:
    """Uploads and downloads of a session; `folder` is private."""

    def __init__(self, controller: Controller, uploads: Uploads, folder: Path) -> None:
        self._controller, self._uploads, self._folder = controller, uploads, folder

    def add_to(self, application: web.Application) -> None:
        """Answer the page's requests from now on."""
        application.router.add_post("/upload/{role}", self._upload)
        application.router.add_get("/download", self._download)

    async def _upload(self, request: web.Request) -> web.Response:
        role, name = request.match_info["role"], request.query.get("name", "")
        if role not in _ROLES or _OWN_HEADER not in request.headers:
            return web.json_response({"error": "This is not what the page sends."}, status=400)
        try:
            path = await self._uploads.receive(name, _blocks(request))
            self._controller.notify_user(self._controller.reading_text(name))
            scan = await asyncio.to_thread(self._uploads.read, path, name)
            self._controller.take_scan(scan, role)
        except SAMLandmarkError as error:
            self._controller.notify_user(str(error))
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response({"name": scan.volume.name})

    async def _download(self, request: web.Request) -> web.Response:
        try:
            content = write_download(self._controller.session, self._folder)
        except SAMLandmarkError as error:
            self._controller.notify_user(str(error))
            return web.Response(status=409, text=str(error))
        attachment = {"Content-Disposition": f'attachment; filename="{DOWNLOAD_NAME}"'}
        return web.Response(body=content, content_type="application/zip", headers=attachment)


async def _blocks(request: web.Request) -> AsyncIterator[bytes]:
    async for block in request.content.iter_chunked(_BLOCK):
        yield block
