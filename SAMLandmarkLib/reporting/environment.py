"""Turns views into pages with the templates beside this file; everything that is shown is escaped."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")
_LONG_WORD = 18
# What HTML does not allow, and halves of pairs, which no file in UTF-8 can hold.
_NOT_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PIECES = re.compile(rf"[^_./\\-]{{0,{_LONG_WORD}}}[_./\\-]|.{{1,{_LONG_WORD}}}")


def render(template: str, **values: object) -> str:
    """The page that a template makes of values, without control characters; UsageError where Jinja2 is missing."""
    return _NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", _environment().get_template(template).render(**values))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Slicer loads this file before it has asked whether it may install Jinja2.
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UsageError("Reports need Jinja2; install it with: pip install Jinja2") from error
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(breakable=breakable, css_text=css_text)
    return environment


def breakable(content: object) -> Markup:
    """Text whose very long words, such as UIDs, may be broken at their separators, or else anywhere.

    >>> str(breakable("a_b long_label_of_a_landmark_<1>"))
    'a_b long_<wbr>label_<wbr>of_<wbr>a_<wbr>landmark_<wbr>&lt;1&gt;'
    """
    from markupsafe import Markup

    words = re.split(rf"(\S{{{_LONG_WORD},}})", str(content))
    pieces = ("<wbr>".join(map(_escaped, _PIECES.findall(word))) for word in words[1::2])
    parts = (text for pair in zip_longest(map(_escaped, words[::2]), pieces, fillvalue="") for text in pair)
    return Markup("".join(parts))


def css_text(text: str) -> Markup:
    r"""A string of a style sheet, with nothing in it that ends the string or the sheet.

    >>> str(css_text('a "b" </style>'))
    '"a \\22 b\\22  \\3c /style>"'
    """
    from markupsafe import Markup

    signs = (f"\\{ord(sign):x} " if sign in '"\\<' or sign < " " else sign for sign in text)
    return Markup(f'"{"".join(signs)}"')


def _escaped(text: str) -> str:
    return escape(text, quote=False)
