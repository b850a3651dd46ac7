"""Text where the protocol expects none, on either side."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from SAMLandmarkLib.utils.translation import unpack
from SAMLandmarkLib.worker.protocol import ProtocolError, decode_answer, decode_request, encode

from .conftest import PATIENCE_SECONDS, scan_data

START = "from SAMLandmarkLib.worker.server import main; main()"

CHATTY = """
import os, threading, time

os.write(1, b"Welcome to the cluster\\n{half a li")

def chat():
    while True:
        os.write(1, b'stray \\xff {"event": "done", "id": 1}\\n')
        print("and through print")
        time.sleep(0.01)

threading.Thread(target=chat, daemon=True).start()
"""


def test_what_libraries_print_stays_out_of_the_protocol(make_client, template, tmp_path, told):
    (tmp_path / "sitecustomize.py").write_text(CHATTY)
    client = make_client(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.result.key == "template"
    log = (client.folder / "worker.log").read_text(errors="replace")
    assert "Welcome to the cluster" in log
    assert "and through print" in log


def test_requests_that_are_none_are_refused_and_the_next_is_answered(tmp_path):
    lines = [
        b"garbage\n",
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b"\n",
        b'{"id": 1, "do": "dance"}\n',
        b"[" * 100_000 + b"\n",
        b'{"id": 2, "do": "embed", "scans": [{"key": "no file"}]}\n',
        encode({"do": "configure", "settings": {}, "folder": str(tmp_path / "private")}),
        encode({"id": 3, "do": "describe"}),
    ]
    with subprocess.Popen(
        [sys.executable, "-c", START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdin.write(b"".join(lines))
        process.stdin.flush()
        answers = []
        while not answers or answers[-1]["event"] != "done":
            if line := process.stdout.readline().strip():
                answers.append(json.loads(line))
        # half a request, and then the end: the worker goes as well
        process.stdin.write(b'{"id": 4, "do": ')
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0
    assert [answer.get("id") for answer in answers] == [None, None, None, None, None, None, 2, 3]
    assert [answer["event"] for answer in answers] == ["started", *["failed"] * 6, "done"]


def test_worker_ends_with_its_input_and_takes_the_private_folder_along(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "scan.npy").write_bytes(b"a patient's scan")
    configure = encode({"do": "configure", "settings": {}, "folder": str(folder)})
    subprocess.run(
        [sys.executable, "-c", START],
        input=configure,
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert not folder.exists()


def test_a_launcher_that_passes_no_input_on_is_told():
    start = "from SAMLandmarkLib.worker import server; server.CONFIGURE_SECONDS = 0.1; server.main()"
    with subprocess.Popen(
        [sys.executable, "-c", start],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        answers = [json.loads(line) for line in process.stdout if line.strip()]
    assert [answer["event"] for answer in answers] == ["started", "stopped"]
    assert answers[1]["kind"] == "start"
    assert "launcher" in unpack(answers[1]["message"])


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b'{"do": "embed"', b'{"event": "started"}', b"\xff"])
def test_lines_that_are_no_request(line):
    with pytest.raises(ProtocolError):
        decode_request(line)


def test_messages_come_back_as_they_were():
    request = {
        "id": 1,
        "do": "transfer",
        "labels": ["Übergang ☃\n"],
        "points_lps": [[0.1 + 0.2, -1e-300, 1e300]],
    }
    line = encode(request)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request
    with pytest.raises(ProtocolError):
        decode_answer(line)
    with pytest.raises(ValueError, match="JSON"):
        encode({"id": 1, "do": "transfer", "points_lps": [[float("nan")]]})
