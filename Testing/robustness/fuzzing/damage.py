"""Damage that is done to bytes and to the numbers and words of headers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

HOSTILE_NUMBERS = (
    "0", "-1", "1", "2", "3", "4", "7", "-3", "1e10", "-1e10", "1e-10", "nan", "NaN", "inf", "-inf", "65536",
    "2147483648", "99999999999999999999", "9" * 5000, "0x10", "1,5", "1.5.5", "", "1e400", "١٢", "--3", "0.001", "10", "1000",
)  # fmt: skip
HOSTILE_SIGNS = (",", ";", '"', "\n", "\r", "\t", "\0", "-", "e", "0", "9", " ", "#", "=", ":", "(", "\N{RIGHT-TO-LEFT OVERRIDE}", "\x1b", "é", "{", "[")  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def damaged_bytes(rng: np.random.Generator, content: bytes) -> tuple[bytes, str]:
    """Bytes with one of the damages that disks, networks and programs do, and its name."""
    data = bytearray(content)
    place = int(rng.integers(len(data)))
    length = int(rng.integers(1, 1 + max(1, len(data) // 8)))
    kind = str(rng.choice(["bit", "bits", "cut", "append", "zeros", "twice", "insert", "remove", "noise"]))
    if kind in ("bit", "bits"):
        for _ in range(1 if kind == "bit" else 8):
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del data[place:]
    elif kind == "append":
        data += rng.bytes(length) if rng.random() < 0.5 else bytes(length)
    elif kind == "zeros":
        data[place : place + length] = bytes(len(data[place : place + length]))
    elif kind == "twice":
        data[place:place] = data[place : place + length]
    elif kind == "insert":
        data[place:place] = rng.bytes(length)
    elif kind == "remove":
        del data[place : place + length]
    else:
        data[place : place + length] = rng.bytes(len(data[place : place + length]))
    return bytes(data), kind


def damaged_text(rng: np.random.Generator, text: str, words: Sequence[str] = ()) -> tuple[str, str]:
    """Text with one number, word, sign or line of it changed, and what was done."""
    lines = text.splitlines(keepends=True)
    number = int(rng.integers(len(lines)))
    kind = str(
        rng.choice(
            ["number", "number", "number", "word", "sign", "without", "twice", "swap", "cut", "remove"]
        )
    )
    found = list(_NUMBER.finditer(text))
    if kind == "number" and found:
        match = found[int(rng.integers(len(found)))]
        new = str(rng.choice(HOSTILE_NUMBERS))
        return text[: match.start()] + new + text[match.end() :], f"{match.group()} becomes {new[:20]!r}"
    if kind == "word" and words:
        lines[number] = re.sub(r"([:=,]\s*).*", lambda m: m.group(1) + str(rng.choice(words)), lines[number].strip("\n"), count=1) + "\n"  # fmt: skip
        return "".join(lines), f"line {lines[number][:60]!r}"
    place = int(rng.integers(len(text)))
    if kind == "without":
        return "".join(lines[:number] + lines[number + 1 :]), f"without line {number}"
    if kind == "twice":
        return "".join(lines[: number + 1] + lines[number:]), f"line {number} twice"
    if kind == "swap":
        other = int(rng.integers(len(lines)))
        lines[number], lines[other] = lines[other], lines[number]
        return "".join(lines), f"lines {number} and {other} swapped"
    if kind == "cut":
        return text[:place], f"cut after {place}"
    if kind == "remove":
        return text[:place] + text[place + 1 :], f"{text[place]!r} at {place} removed"
    sign = str(rng.choice(HOSTILE_SIGNS))
    return text[:place] + sign + text[place:], f"{sign!r} at {place}"
