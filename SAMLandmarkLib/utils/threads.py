"""How many threads PyTorch computes with, and how many cores there are for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Have torch compute with so many threads for the calling thread; each thread has a number of its own."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(
    function: Callable[[Part], Result], parts: Sequence[Part], device: torch.device
) -> list[Result]:
    """What a function gives for each part, in order; on a CPU several are done at a time, with one thread each.

    That keeps the cores busier than many short operations that each are divided between them.
    """
    import torch

    count = min(torch.get_num_threads(), len(parts)) if device.type == "cpu" else 1
    if count < 2:
        return [function(part) for part in parts]
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(function, parts))
