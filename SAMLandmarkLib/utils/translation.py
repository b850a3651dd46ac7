"""The library's sentences in the language of its user.

A sentence that a user reads is written `_("{scan} has no voxels.").format(scan=name)`: one plain literal with named
placeholders, so that the tools that collect texts for translators find it. Nothing is translated until a front end with
translations, such as the Slicer module, calls `set_translator`. A worker has no translator: what it says travels with
its English text and values (`pack`), and the program says it anew (`unpack`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

Translator = Callable[[str, str], str]
"""From a context and an English text to the user's language; the context is "package.file", as Slicer's tools have it."""


def set_translator(translator: Translator) -> None:
    """Say all sentences from now on as `translator(context, english)` says them."""
    Sentence.translator = staticmethod(translator)


class Sentence(str):
    """A sentence as its user reads it, which remembers how it is made, so that it can be said in another language.

    >>> full = Sentence("disk", "{path} is full.").format(path="D:")
    >>> full, full.english, full.values
    ('D: is full.', '{path} is full.', {'path': 'D:'})
    """

    translator: Translator = staticmethod(lambda context, english: english)
    context: str
    english: str
    values: dict[str, Any] | None

    def __new__(cls, context: str, english: str, values: dict[str, Any] | None = None) -> Sentence:
        text = cls.translator(context, english)
        if _placeholders(text) != _placeholders(english):
            text = english
        sentence = super().__new__(cls, text if values is None else text.format(**values))
        sentence.context, sentence.english, sentence.values = context, english, values
        return sentence

    def __getnewargs__(self) -> tuple[str, str, dict[str, Any] | None]:  # type: ignore[override]
        return self.context, self.english, self.values

    def format(self, **values: Any) -> Sentence:  # type: ignore[override]
        """The sentence with its placeholders filled."""
        return Sentence(self.context, self.english, values)


def _(english: str) -> Sentence:
    """The sentence in the user's language; in English where a translation lacks a placeholder."""
    return Sentence(_context(sys._getframe(1).f_code.co_filename), english)


@cache
def _context(file: str) -> str:
    path = Path(file)
    return f"{path.parent.name}.{path.stem}"


@lru_cache(maxsize=4096)
def _placeholders(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"{(\w+)}", text))


def sentence_of(error: BaseException) -> str:
    """What an exception says, as the sentence that it was raised with."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Sentence) else str(error)


def pack(text: Any) -> Any:
    """A sentence in types of JSON, such that `unpack` can say it in another process; other values as they are."""
    if not isinstance(text, Sentence):
        return text
    values = None if text.values is None else {name: pack(value) for name, value in text.values.items()}
    return {"context": text.context, "english": text.english, "values": values}


def unpack(packed: Any) -> Any:
    """What `pack` was given, in this process's language.

    >>> unpack(pack(_("{count} points").format(count=3)))
    '3 points'
    """
    if not isinstance(packed, dict):
        return packed
    values = packed["values"]
    filled = None if values is None else {name: unpack(value) for name, value in values.items()}
    return Sentence(packed["context"], packed["english"], filled)
