"""What a browser is told where one of its calls fails: the name of the call, and nothing of the program's inside."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgpack
import pytest
from wslink.chunking import UnChunker, generate_chunks

PATIENCE_SECONDS = 180


@pytest.fixture(scope="module")
def open_page(start_server, files):
    """A page for whoever comes first."""
    return start_server("--template", files["april"], "--landmarks", files["landmarks"])


def answers(server, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """What a page answers to calls over its websocket, after the greeting."""
    # on a thread of its own, because the browser's driver has a running loop on this one
    with ThreadPoolExecutor() as thread:
        return thread.submit(asyncio.run, _answers(server, calls)).result()


async def _answers(server, calls) -> list[dict[str, Any]]:
    address = urlsplit(server.address)
    greeting = {"id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "wslink-secret"}]}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://{address.netloc}", cookie_jar=jar) as session:
        await (await session.get("/")).read()
        async with session.ws_connect("/ws", origin=f"http://{address.netloc}", max_msg_size=0) as socket:
            return [await _answer(socket, {"wslink": "1.0", **call}) for call in (greeting, *calls)][1:]


async def _answer(socket, call: dict[str, Any]) -> dict[str, Any]:
    for chunk in generate_chunks(msgpack.packb(call), 0):
        await socket.send_bytes(chunk)
    unchunker = UnChunker()
    unchunker.set_max_message_size(1 << 30)
    while True:
        message = unchunker.process_chunk(await asyncio.wait_for(socket.receive_bytes(), PATIENCE_SECONDS))
        if message is not None and message.get("id") == call["id"]:
            return message


def test_a_call_that_fails_tells_nothing_of_the_program(open_page):
    calls = [
        {"id": "rpc:c0:1", "method": "trame.trigger", "args": ["no-such-trigger"]},
        {"id": "rpc:c0:2", "method": "trame.state.update", "args": [5]},
        {"id": "rpc:c0:3", "method": "no.such.method"},
    ]
    told = answers(open_page, *calls)
    assert [answer["id"] for answer in told] == [call["id"] for call in calls]
    for answer, call in zip(told[1:], calls[1:], strict=True):
        assert answer["error"].get("data", call["method"]) == call["method"]
    for answer in told:
        assert not any(word in str(answer) for word in ("Traceback", ".py", "site-packages", "Error("))
