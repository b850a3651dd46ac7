"""The options that tell the engine how to compute, given to a command in one word.

A command takes `engine: WorkerSettings` and names the options that it wants:

>>> @takes_engine_options("device", "precision")
... def show(scan: str, *, engine: WorkerSettings) -> None:
...     print(scan, engine.device)
>>> list(inspect.signature(show).parameters)
['scan', 'device', 'precision']
>>> show("a.nii.gz", device="cpu")
a.nii.gz cpu
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..engine.settings import WorkerSettings
from .options import (
    DEFAULT_CACHE_LIMIT,
    CacheLimitOption,
    CacheOption,
    DeviceOption,
    MemoryOption,
    ModalityOption,
    ModelOption,
    NoCacheOption,
    PixelSpacingOption,
    Precision,
    PrecisionOption,
    Profile,
    ProfileOption,
    TrustOption,
    parse_memory,
)

Command = Callable[..., None]

COMPUTING = ("device", "precision", "model", "trust_model")
"""What every command that loads a model offers."""
KEEPING = ("cache", "cache_limit", "no_cache")
"""Where embeddings are kept, for commands that keep them."""
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "device": (DeviceOption, "auto"),
    "precision": (PrecisionOption, Precision.AUTO),
    "model": (ModelOption, None),
    "trust_model": (TrustOption, False),
    "max_memory": (MemoryOption, None),
    "profile": (ProfileOption, Profile.ACCURATE),
    "pixel_spacing": (PixelSpacingOption, None),
    "modality": (ModalityOption, None),
    "cache": (CacheOption, None),
    "cache_limit": (CacheLimitOption, DEFAULT_CACHE_LIMIT),
    "no_cache": (NoCacheOption, False),
}


def takes_engine_options(*names: str, **others: Any) -> Callable[[Command], Command]:
    """Let Typer see the options `names` of a command in the place of its parameter `engine`.

    `others` are options that mean something else for this command, or that it alone has: their types, None by default.
    """
    options = {name: _OPTIONS[name] for name in names} | {name: (kind, None) for name, kind in others.items()}

    def decorated(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        parameters = [
            part for name in own for part in (_parameters(options) if name == "engine" else [own[name]])
        ]

        @functools.wraps(command)
        def with_settings(*arguments: Any, **values: Any) -> None:
            chosen = {name: values.pop(name, default) for name, (_kind, default) in options.items()}
            command(*arguments, **values, engine=_settings(**chosen))

        with_settings.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_settings.__annotations__ = {part.name: part.annotation for part in parameters}
        return with_settings

    return decorated


def _parameters(options: dict[str, tuple[Any, Any]]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]


def _settings(
    device: str,
    precision: Precision = Precision.AUTO,
    profile: Profile = Profile.ACCURATE,
    cache_limit: int | str = DEFAULT_CACHE_LIMIT,
    no_cache: bool = False,
    **same: Any,
) -> WorkerSettings:
    """What the options say, in the words of the engine; `same` are those that need no translation."""
    limit = parse_memory(cache_limit) if isinstance(cache_limit, str) else cache_limit
    renamed = {"cache": "cache_folder", "pixel_spacing": "pixel_spacing_mm"}
    return WorkerSettings(
        device=device,
        precision=precision.value,
        profile=profile.value,
        cache_limit_bytes=0 if no_cache else limit,
        **{renamed.get(name, name): value for name, value in same.items()},
    )
