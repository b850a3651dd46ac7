"""How near the network comes to what this machine can do: python benchmarks/roofline.py [--runs N] [--precision fp32] [--json]

For each part of the network on a chest-sized scan: the time, the arithmetic of its convolutions per second beside this
machine's fastest product of two 2048 x 2048 matrices, and the bytes that its operations read and write per second
beside this machine's copying of memory. The bytes are those of every operation on its own, as if no cache kept anything
between two of them. Then the share of each stage in the time of a pair, from resampling to matching.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from SAMLandmarkLib import LandmarkSet, TransferEngine, Volume
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.evaluation.tiled_volumes import tiled_volume
from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.models.network import SamNetwork
from SAMLandmarkLib.models.precision import PRECISIONS
from SAMLandmarkLib.utils.bundled import bundled_folder

SIZE_IJK, SPACING_MM = (500, 500, 240), (0.8, 0.8, 1.25)
SHAPE = (160, 224, 224)
"""Voxels of 2 mm that the parts of the network are timed on: a scan of 320 x 448 x 448 mm."""
MATRIX_SIDE = 2048
COPIED_BYTES = 2**29
POINTS = 20


class BytesMoved(TorchDispatchMode):
    """Sums the bytes of all tensors that operations read and write, views left out."""

    def __init__(self, element_bytes: int) -> None:
        super().__init__()
        self.bytes, self._element_bytes = 0, element_bytes

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            flat = torch.utils._pytree.tree_leaves((args, kwargs, result))
            self.bytes += sum(each.numel() for each in flat if isinstance(each, Tensor)) * self._element_bytes
        return result


def work_of(call: Callable[[], object], element_bytes: int) -> tuple[float, float]:
    """Floating-point operations of the convolutions and bytes moved of a call on tensors without contents."""
    with (
        torch.inference_mode(),
        BytesMoved(element_bytes) as moved,
        FlopCounterMode(display=False) as counter,
    ):
        call()
    return counter.get_total_flops(), moved.bytes


def seconds_of(call: Callable[[], object], runs: int) -> float:
    """The median of some runs, after one that does not count."""
    call()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def matrix_peak(dtype: torch.dtype, runs: int) -> float:
    """Operations per second of the fastest matrix product."""
    a, b = (torch.rand(MATRIX_SIDE, MATRIX_SIDE).to(dtype) for _ in range(2))
    return 2 * MATRIX_SIDE**3 / min(seconds_of(lambda: a @ b, 1) for _ in range(max(runs, 5)))


def copy_bandwidth(runs: int) -> float:
    """Bytes read and written per second by the fastest copy."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / min(seconds_of(lambda: target.copy_(source), 1) for _ in range(max(runs, 5)))


def network_rows(model: EmbeddingModel, runs: int) -> list[dict]:
    """Time, arithmetic and bytes of each part of the network."""
    blank = SamNetwork().eval().to("meta")
    on_meta = torch.empty(1, 1, *SHAPE, device="meta")
    voxels = torch.from_numpy(np.random.default_rng(0).uniform(-1000, 500, (1, 1, *SHAPE)).astype(np.float32))
    with torch.inference_mode():
        reduced_meta = blank.fine_reduce(on_meta)
        deep_meta = blank.fine_deepen(reduced_meta)
    reduced = model.reduce(voxels)
    deep = model.deepen(reduced)
    parts = {
        "coarse": (lambda: model.embed_level(1, voxels), lambda: blank.coarse(on_meta)),
        "fine": (lambda: model.embed_level(0, voxels), lambda: blank.fine(on_meta)),
        "fine: first part": (lambda: model.reduce(voxels), lambda: blank.fine_reduce(on_meta)),
        "fine: deep levels": (lambda: model.deepen(reduced), lambda: blank.fine_deepen(reduced_meta)),
        "fine: last part": (
            lambda: model.finish(voxels, deep),
            lambda: blank.fine_finish(on_meta, deep_meta),
        ),
    }
    rows = []
    for name, (timed, counted) in parts.items():
        flops, moved = work_of(counted, model.dtype.itemsize)
        rows.append({"part": name, "seconds": seconds_of(timed, runs), "flops": flops, "bytes": moved})
    return rows


def stage_seconds(engine: TransferEngine, runs: int) -> dict[str, float]:
    """Seconds of each stage for a pair of chest-sized scans and 20 points."""
    template, target = (
        tiled_volume(Volume.read(bundled_folder("SampleData") / f"{name}.nii.gz"), SIZE_IJK, SPACING_MM)
        for name in ("template", "followup")
    )
    index = np.random.default_rng(0).uniform(40, np.array(SIZE_IJK) - 40, (POINTS, 3))
    landmarks = LandmarkSet.from_points(
        [f"p{number}" for number in range(POINTS)], template.lps_from_index(index)
    )
    prepared = [engine.prepare(scan) for scan in (template, target)]
    scans = [engine.embed(scan) for scan in prepared]

    def match() -> None:
        # a copy of the embedding has no correspondences yet
        engine.transfer(scans[0], landmarks, engine.embed(prepared[1]))

    embed_one = seconds_of(lambda: engine.embed(prepared[1]), runs)
    return {
        "resampling both": seconds_of(lambda: [engine.prepare(scan) for scan in (template, target)], runs),
        "embedding both": seconds_of(lambda: [engine.embed(scan) for scan in prepared], runs),
        "correspondences and 20 points": max(0.0, seconds_of(match, runs) - embed_one),
        "20 points again": seconds_of(lambda: engine.transfer(scans[0], landmarks, scans[1]), runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    engine = TransferEngine(device="cpu", precision=arguments.precision)
    model = engine.model
    peaks = {
        str(dtype).removeprefix("torch."): matrix_peak(dtype, arguments.runs)
        # where bfloat16 is emulated its matrix product would take minutes and say nothing
        for dtype in dict.fromkeys((torch.float32, model.dtype))
    }
    bandwidth = copy_bandwidth(arguments.runs)
    rows = network_rows(model, arguments.runs)
    document = {
        "dtype": str(model.dtype).removeprefix("torch."),
        "matrix_flops_per_second": peaks,
        "copy_bytes_per_second": bandwidth,
        "network": rows,
        "stages": stage_seconds(engine, arguments.runs),
    } | describe_run()
    print(json.dumps(document, indent=1) if arguments.json else text_of(document))


COLUMNS = (
    "part",
    "s",
    "GFLOP",
    "GFLOP/s",
    "% of matrix peak",
    "GB moved",
    "% of copy bandwidth",
    "ms at peak",
    "ms at bandwidth",
)


def text_of(document: dict) -> str:
    peak = document["matrix_flops_per_second"][document["dtype"]]
    bandwidth = document["copy_bytes_per_second"]
    table = [
        [
            row["part"],
            f"{row['seconds']:.3f}",
            f"{row['flops'] / 1e9:.0f}",
            f"{row['flops'] / row['seconds'] / 1e9:.0f}",
            f"{100 * row['flops'] / row['seconds'] / peak:.0f}",
            f"{row['bytes'] / 1e9:.1f}",
            f"{100 * row['bytes'] / row['seconds'] / bandwidth:.0f}",
            f"{1000 * row['flops'] / peak:.0f}",
            f"{1000 * row['bytes'] / bandwidth:.0f}",
        ]
        for row in document["network"]
    ]
    total = sum(document["stages"].values()) - document["stages"]["20 points again"]
    stages = [
        [name, f"{value:.3f}", f"{100 * value / total:.0f}"] for name, value in document["stages"].items()
    ]
    speeds = ", ".join(
        f"{name} {value / 1e9:.0f} GFLOP/s" for name, value in document["matrix_flops_per_second"].items()
    )
    return "\n\n".join(
        [
            f"Matrix product: {speeds}; copying: {bandwidth / 1e9:.1f} GB/s read and written; network in {document['dtype']}.",
            markdown_table(COLUMNS, table),
            markdown_table(("stage of a pair", "s", "% of the first answer"), stages),
            json.dumps({name: document[name] for name in ("date", "machine", "versions", "commit")}),
        ]
    )


if __name__ == "__main__":
    main()
