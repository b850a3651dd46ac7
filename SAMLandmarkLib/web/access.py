"""Who may use the page: whoever knows the token, where there is one, and the first browser only."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from .request import LOOPBACK

_PAGES = ("/", "/index.html")
_WEBSOCKET = "/ws"
# Slows down whoever tries tokens; a person doesn't notice.
_WRONG_TOKEN_SECONDS = 0.5
_MOST_GUESSES = 10
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TAKEN = (
    "This session is taken",
    (
        "Another browser has opened this page, and nobody else may see the scans in it. To use the page here, end "
        "“samlandmark serve” where it was started, and start it again."
    ),
)
_NO_TOKEN = (
    "A token is needed",
    "Open the address that ends in ?token= and the token that “samlandmark serve” was started with.",
)
_TOO_MANY = ("Too many tries", "Others are trying tokens here; wait a little, and load the page again.")
_ELSEWHERE = ("Not here", "This page answers to the address that “samlandmark serve” has printed.")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access:
    """Lets one browser in, which it knows again by a cookie, and turns away all others.

    The first browser whose page connects owns the session until the program ends. With a `token`, a browser gets a
    cookie only for the right one. Without one, other names than the loopback's in the Host header are refused, as a
    web site would use that points its own name to this computer; with one a web server in front may pass its own name.
    """

    def __init__(self, host: str, token: str | None) -> None:
        self._local = host in LOOPBACK and token is None
        self._token = token
        self._owner: str | None = None
        self._candidates: set[str] = set()
        self._guessing, self._guesses = asyncio.Lock(), 0
        # cookies go by host alone: two programs on one host must not take each other's
        self._cookie = f"samlandmark-{secrets.token_hex(4)}"

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or refuse it."""
        if self._local and _host_name(request) not in LOOPBACK:
            return _refusal(421, *_ELSEWHERE)
        visitor = request.cookies.get(self._cookie, "")
        if request.path in _PAGES:
            return await self._page(request, handler, visitor)
        if not self._may_come_in(visitor):
            return _refusal(403, *(_TAKEN if self._owner and self._knows_token(request) else _NO_TOKEN))
        if request.path == _WEBSOCKET:
            if not _same_origin(request):
                return _refusal(403, *_ELSEWHERE)
            # What only asks for the address opens no page, and must not take it from whoever does.
            if not web.WebSocketResponse().can_prepare(request).ok:
                return _refusal(400, *_ELSEWHERE)
            self._owner = visitor
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _page(self, request: web.Request, handler: Handler, visitor: str) -> web.StreamResponse:
        if self._may_come_in(visitor) and request.path != "/":
            response = await handler(request)
            response.headers.update(_HEADERS)
            return response
        if not self._may_come_in(visitor):
            if self._token is not None and "token" in request.query and self._guesses >= _MOST_GUESSES:
                return _refusal(429, *_TOO_MANY)
            if not await self._tells_token(request):
                return _refusal(403, *_NO_TOKEN)
            if self._owner is not None:
                return _refusal(409, *_TAKEN)
            visitor = secrets.token_urlsafe(32)
            self._candidates.add(visitor)
        # without the query: a token must not stay in the address line
        response = web.HTTPFound("index.html", headers=_HEADERS)
        response.set_cookie(self._cookie, visitor, httponly=True, samesite="Strict")
        return response

    def _may_come_in(self, visitor: str) -> bool:
        if self._owner is not None:
            return _equal(visitor, self._owner)
        return visitor in self._candidates

    async def _tells_token(self, request: web.Request) -> bool:
        """Whether a request has the token; guesses are looked at one after the other, so that many at once help nobody."""
        if self._token is None or "token" not in request.query:
            return self._knows_token(request)
        self._guesses += 1
        try:
            async with self._guessing:
                if self._knows_token(request):
                    return True
                await asyncio.sleep(_WRONG_TOKEN_SECONDS)
                return False
        finally:
            self._guesses -= 1

    def _knows_token(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = request.query.get("token", "")
        return _equal(given, self._token)


def _equal(given: str, secret: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing about the secret one."""
    # headers may hold any bytes
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _host_name(request: web.Request) -> str | None:
    """The name in the Host header without its port; None where it is damaged."""
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _same_origin(request: web.Request) -> bool:
    """Whether a websocket was opened by this page and not by another web site; programs send no Origin."""
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def _refusal(status: int, title: str, text: str) -> web.Response:
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>SAMLandmark</title>"
        "<body style='font: 16px/1.5 sans-serif; background: #14181d; color: #dfe5ec; margin: 15vh auto; "
        f"max-width: 36em; padding: 0 1em'><h1 style='font-size: 1.4em'>{escape(title)}</h1><p>{escape(text)}</p>"
    )
    return web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)
