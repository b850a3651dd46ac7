"""Three hundred megabytes sent to the page: received in blocks, judged, and gone again."""

from __future__ import annotations

import http.client
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from page_server import PageServer

MEBIBYTE = 2**20
SENT_MEBIBYTES, MOST_MORE_MEBIBYTES = 300, 150


def _blocks(first: bytes) -> Iterator[bytes]:
    yield first.ljust(MEBIBYTE, b"\0")
    yield from [bytes(MEBIBYTE)] * (SENT_MEBIBYTES - 1)


def _connection(server: PageServer) -> http.client.HTTPConnection:
    address = urlsplit(server.address)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=180)


def _cookie(server: PageServer) -> str:
    """What makes this visitor the owner of the page."""
    connection = _connection(server)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return (answer.getheader("Set-Cookie") or "").split(";")[0]


def _sent(server: PageServer, cookie: str, name: str, first: bytes = b"") -> tuple[int, str]:
    connection = _connection(server)
    headers = {"X-SAMLandmark": "1", "Cookie": cookie, "Content-Length": str(SENT_MEBIBYTES * MEBIBYTE)}
    connection.request("POST", f"/upload/template?name={name}", body=_blocks(first), headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace")


def _peak_mebibytes(server: PageServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1)) >> 10


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of another process's memory")
def test_large_files_take_no_memory_and_stay_nowhere(start_server):
    server = start_server()
    cookie, before = _cookie(server), _peak_mebibytes(server)
    for name, first in (
        ("large.nii", b"Dear colleague, "),
        ("large.nii.gz", b"\x1f\x8b\x08\0"),
        ("large.zip", b"PK\3\4"),
    ):
        status, text = _sent(server, cookie, name, first)
        assert status == 422, text
        assert name in text
        assert str(server.folder) not in text
    assert _peak_mebibytes(server) - before < MOST_MORE_MEBIBYTES
    assert not list(server.folder.rglob("upload-*"))
    assert _sent(server, "samlandmark=other", "large.nii")[0] in (401, 403)
