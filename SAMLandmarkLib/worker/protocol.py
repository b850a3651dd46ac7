"""The language between a program and its worker process.

One JSON object a line, UTF-8, ASCII-escaped, on the worker's standard input (requests) and output (answers). Arrays
travel as `.npy` files in the client's private folder; JSON names their paths. Numbers are written such that they come
back as the same float64; numbers that are not finite are null. Points are in LPS mm.

Requests, `{"id": 7, "do": …}`; a scan is `{"key", "name", "file", "ijk_to_lps", "source"}`:

    configure   first line: "settings" (WorkerSettings), "folder"; no answer
    embed       "scans": [scan]
    transfer    "scans": [scan, …], "template", "target": keys, "labels", "points_lps",
                "extra_templates": [[key, labels, points_lps], …]
    locate      "scans": [scan], "target": key, "protocol": name, atlas file or null for the bundled one that fits
    prepare     "scans", "template", "target": does early what the first transfer of a pair would do
    heat_map    "scans", "template", "target", "point_lps", "file" to be written
    describe    what computes here
    test        whether all of it works, on the bundled sample
    forget      "file": the scan in it is not needed any more; no answer

Requests carry their scans in full, so that a worker that was started anew needs no history.

Answers, `{"id": 7, "event": …}`:

    progress    "scan": key, "step", "fraction"
    done        "result": what the request asked for
    failed      "kind", "message": one sentence; with "id": null for a line that was no request

Sentences are `translation.pack`ed: "message", the "warnings", "notes" and "remarks" of a result, its "device_name".

and, without "id", `{"event": "started"}` first of all, and `{"event": "stopped", "kind", "message"}` where nothing can
be computed and the worker ends.

A worker ends when its standard input does, which is what happens when the program dies; it then deletes the private
folder. Its standard error is a log file. Lines that can't be understood are reported and skipped on either side.
"""

from __future__ import annotations

import json
from typing import Any

LOG_NAME = "worker.log"
REQUESTS = ("configure", "embed", "transfer", "locate", "prepare", "heat_map", "describe", "test", "forget")
EVENTS = ("started", "progress", "done", "failed", "stopped")


class ProtocolError(ValueError):
    """A line that is no message of this protocol."""


def encode(message: dict[str, Any]) -> bytes:
    r"""The line of a message; ValueError where it holds numbers that are not finite.

    >>> encode({"id": 1, "do": "describe"})
    b'{"id": 1, "do": "describe"}\n'
    """
    return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"


def decode_request(line: bytes) -> dict[str, Any]:
    """The request in a line; ProtocolError where there is none."""
    return _decode(line, "do", REQUESTS)


def decode_answer(line: bytes) -> dict[str, Any]:
    """The answer in a line; ProtocolError where there is none."""
    return _decode(line, "event", EVENTS)


def _decode(line: bytes, field: str, known: tuple[str, ...]) -> dict[str, Any]:
    try:
        message = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON object: {line[:200]!r}") from error
    if not isinstance(message, dict) or message.get(field) not in known:
        raise ProtocolError(f"no message with a known {field!r}: {line[:200]!r}")
    return message
