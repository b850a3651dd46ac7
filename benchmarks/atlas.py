"""The bundled protocols: built from marked scans, and measured with each patient left out.

    python benchmarks/atlas.py build DATA [--output Resources/Atlas]
    python benchmarks/atlas.py measure DATA [--set chest ...] [--patients 4] [--cache FOLDER]

DATA is a folder of test sets as for `samlandmark evaluate`, one of each protocol's name. `build` writes those patients that
may be shipped (atlas_protocols.py). `measure` finds the landmarks of each patient by an atlas of all others of the set, which
keeps the support points that these others agree on, beside one whole template (all pairs) and the vote of whole templates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from atlas_protocols import PROTOCOLS, Protocol

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.results import Status, TransferredLandmark
from SAMLandmarkLib.embedding.atlas_file import write_atlas_file
from SAMLandmarkLib.embedding.embedding import Embedding
from SAMLandmarkLib.engine.atlas import Atlas
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas
from SAMLandmarkLib.engine.protocols import SUFFIX
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.records import best_position
from SAMLandmarkLib.evaluation.sets import WORST_SCORED_QUALITY, AnnotatedVolume
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.io.volume_paths import volume_files
from SAMLandmarkLib.matching.voting import voted

WITHIN_MM = 10.0
COLUMNS = ("set", "way", "points", "mean / median / largest", "≤ 10 mm", "FOUND", "of these ≤ 10 mm, largest")


class Bench:
    """One engine, and the marked scans of a set embedded once."""

    def __init__(self, cache: Path | None) -> None:
        settings = WorkerSettings(
            device="cpu", cache_folder=cache, cache_limit_bytes=0 if cache is None else 1 << 34
        )
        self.runtime = EngineRuntime(settings)
        self.engine = self.runtime.engine
        self._embeddings: dict[Path, Embedding] = {}

    def embedding(self, scan: AnnotatedVolume) -> Embedding:
        if scan.path not in self._embeddings:
            embedded = self.runtime.embed_volume(self.runtime.read(scan.path))
            self.runtime.keep(embedded)
            self._embeddings[scan.path] = embedded.on_device_of(self.engine.model)
        return self._embeddings[scan.path]

    def atlas(self, protocol: Protocol, scans: Sequence[AnnotatedVolume]) -> Atlas:
        """An atlas of some scans, as it would be read from a file."""
        return Atlas.of(
            build_atlas(self.engine, protocol.name, self.marked(protocol, scans), protocol.landmarks),
            self.engine.model,
        )

    def marked(self, protocol: Protocol, scans: Sequence[AnnotatedVolume]) -> list[MarkedScan]:
        marked = []
        for scan in scans:
            source = protocol.shipped.get(scan.name)
            said = ("", "", "") if source is None else (source.collection, source.licence, source.attribution)
            marked.append(MarkedScan(self.embedding(scan), scored(scan), *said))
        return marked


def scored(scan: AnnotatedVolume) -> LandmarkSet:
    """The landmarks of a scan that a reader is sure enough of."""
    return LandmarkSet([mark for mark in scan.landmarks if scan.quality[mark.label] <= WORST_SCORED_QUALITY])


def build(arguments: argparse.Namespace) -> None:
    """Write the atlas file of each protocol that has patients that may be shipped."""
    bench = Bench(arguments.cache)
    arguments.output.mkdir(exist_ok=True)
    for protocol in PROTOCOLS:
        if not protocol.shipped or (arguments.set and protocol.name not in arguments.set):
            continue
        scans = [scan for scan in scans_of(arguments.data, protocol) if scan.name in protocol.shipped]
        contents = build_atlas(
            bench.engine, protocol.name, bench.marked(protocol, scans), protocol.landmarks, protocol.title
        )
        path = arguments.output / f"{protocol.name}{SUFFIX}"
        write_atlas_file(path, contents)
        print(f"{path}: {len(scans)} patients, {path.stat().st_size / 2**20:.2f} MiB", flush=True)


def measure(arguments: argparse.Namespace) -> None:
    """Print a table of the errors."""
    bench = Bench(arguments.cache)
    rows = []
    for protocol in PROTOCOLS:
        if arguments.set and protocol.name not in arguments.set:
            continue
        scans = scans_of(arguments.data, protocol)[: arguments.patients]
        for way, answers in answers_of(bench, protocol, scans).items():
            rows.append((protocol.name, way, *figures(answers)))
            print(*rows[-1], sep=" | ", flush=True)
    described = describe_run()
    print(markdown_table(COLUMNS, rows))
    print({key: described[key] for key in described if isinstance(described[key], str)})


Answers = list[tuple[TransferredLandmark, np.ndarray]]
"""What was found, and where it is, `(3,)` LPS mm."""


def answers_of(bench: Bench, protocol: Protocol, scans: Sequence[AnnotatedVolume]) -> dict[str, Answers]:
    """For each way, the answers to the landmarks that the target and at least one other scan have."""
    ways: dict[str, Answers] = {"one template": [], "vote of whole templates": [], "atlas": []}
    engine = bench.engine
    for target in scans:
        others = [scan for scan in scans if scan is not target]
        embedding = bench.embedding(target)
        given: dict[str, list[TransferredLandmark]] = {}
        for other in others:
            matcher, marked = engine.matcher(bench.embedding(other), embedding), scored(other)
            for item in matcher.decide(marked.labels, marked.positions_lps, engine.calibration):
                given.setdefault(item.label, []).append(item)
        ways["one template"] += known([item for answers in given.values() for item in answers], target)
        votes = [voted(answers, engine.calibration, engine.options.voting) for answers in given.values()]
        ways["vote of whole templates"] += known(votes, target)
        found = engine.locate(embedding, bench.atlas(protocol, others))
        part = found.provenance["atlas"]["agreeing_part"]
        print(f"{protocol.name}: {target.name} by an atlas of {len(others)}: {part:.0%} agree", flush=True)
        ways["atlas"] += known(found, target)
    return ways


def known(result: Iterable[TransferredLandmark], target: AnnotatedVolume) -> Answers:
    """The answers whose truth is known; those to labels that no template has are none."""
    truth = scored(target)
    places = dict(zip(truth.labels, truth.positions_lps, strict=True))
    return [(item, places[item.label]) for item in result if item.label in places and item.candidates]


def figures(answers: Answers) -> tuple[str, ...]:
    """The row of a table about some answers; what is MISSING counts with the place it would have been given."""
    errors = np.array([np.linalg.norm(best_position(item) - truth) for item, truth in answers])
    found = np.array([item.status is Status.FOUND for item, _truth in answers])
    right = f"{np.mean(errors[found] <= WITHIN_MM):.0%}, {errors[found].max():.0f} mm" if found.any() else "–"
    return (
        str(len(errors)),
        f"{errors.mean():.1f} / {np.median(errors):.1f} / {errors.max():.0f}",
        f"{np.mean(errors <= WITHIN_MM):.0%}",
        f"{found.mean():.0%}",
        right,
    )


def scans_of(data: Path, protocol: Protocol) -> list[AnnotatedVolume]:
    """The marked scans of a protocol."""
    return [AnnotatedVolume.read(path) for path in volume_files(data / protocol.name)]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("build", "measure"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", help="only this protocol; may be given several times")
    parser.add_argument("--patients", type=int, help="of each set at most")
    parser.add_argument("--cache", type=Path, help="folder of embeddings that are kept")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "Resources" / "Atlas")
    arguments = parser.parse_args()
    {"build": build, "measure": measure}[arguments.what](arguments)


if __name__ == "__main__":
    main()
