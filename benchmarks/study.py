"""The batch: does it survive being killed, what does it cost beside the engine, does its memory stay flat.

python benchmarks/study.py kills       200 small scans, killed ten times and resumed, against an undisturbed run;
                                       --scans 24 --kills 12 --series 2 for another number of each
python benchmarks/study.py shared      four batches at the same time with one cache, against one alone
python benchmarks/study.py cost        full-sized scans: two workers against one, the batch against its parts
python benchmarks/study.py memory      the memory of a worker over 200 small scans
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import SimpleITK as sitk

from SAMLandmarkLib.evaluation.demo_study import write_small_study
from SAMLandmarkLib.study.ledger import LEDGER_NAME, Ledger, State
from SAMLandmarkLib.utils.bundled import bundled_folder
from SAMLandmarkLib.utils.errors import SAMLandmarkError

PATIENTS, FOLLOW_UPS, KILLS = 10, 20, 10
FEW_SCANS, MANY_SCANS, RUNS = 4, 20, 2
SHARED_SCANS, SHARING = 12, 4
SAMPLE = bundled_folder("SampleData")
TEMPLATE = ("-t", str(SAMPLE / "template.nii.gz"), "-l", str(SAMPLE / "template.mrk.json"))
BATCHES = {
    "batch, one worker": ("--workers", "1", "--no-cache"),
    "batch, one worker, cache": ("--workers", "1", "--cache", "{}/cache"),
    "batch, two workers": ("--workers", "2", "--no-cache"),
}


def main() -> None:
    measures = {
        "kills": measure_kills,
        "shared": measure_shared,
        "cost": measure_cost,
        "memory": measure_memory,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=measures)
    parser.add_argument("--scans", type=int, default=PATIENTS * FOLLOW_UPS, help="follow-ups of the kills")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills in a series")
    parser.add_argument("--series", type=int, default=1, help="so many studies are killed so often")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measures[arguments.what](Path(folder), arguments)


def measure_kills(folder: Path, arguments: argparse.Namespace) -> None:
    """Kill runs at random moments, and compare their tables with that of a run that nothing disturbed."""
    manifest = write_small_study(folder / "scans", max(1, arguments.scans // FOLLOW_UPS), FOLLOW_UPS)
    undisturbed = folder / "undisturbed"
    seconds = run(manifest, undisturbed, "--workers", "2", "--cache", str(folder / "cache"))
    print(f"undisturbed: {len(entries(undisturbed))} scans in {seconds:.0f} s")
    for number in range(arguments.series):
        longest = seconds / arguments.kills
        kill_and_resume(manifest, folder / f"killed-{number + 1}", undisturbed, arguments.kills, longest)


def wait_until_at_work(process: subprocess.Popen, output: Path) -> None:
    """Wait until a run has begun with a scan, or has ended."""
    before = attempts(output)
    while process.poll() is None and attempts(output) == before:
        time.sleep(0.05)


def attempts(output: Path) -> int:
    """How many scans were begun in all runs."""
    with suppress(SAMLandmarkError):
        return sum(entry.attempts for entry in entries(output).values())
    return 0


def kill_and_resume(
    manifest: Path, output: Path, undisturbed: Path, kills: int, longest_seconds: float
) -> None:
    """Kill a study so often after a random time, end it, and print what came of it."""
    in_work: Counter[str] = Counter()
    options = ("--workers", "2", "--cache", f"{output}-cache", "--resume")
    for number in range(kills):
        process = started(manifest, output, *options)
        wait_until_at_work(process, output)
        time.sleep(random.uniform(0.0, longest_seconds))
        process.kill()
        process.wait()
        found = entries(output)
        in_work.update(key for key, entry in found.items() if entry.state is State.RUNNING)
        done = sum(entry.state is State.DONE for entry in found.values())
        print(f"kill {number + 1}: {done} done, {sum(in_work.values())} in work at a kill so far", flush=True)
    run(manifest, output, *options)
    same = (output / "study.csv").read_bytes() == (undisturbed / "study.csv").read_bytes()
    begun = {key: entry.attempts for key, entry in entries(output).items()}
    twice = [key for key, count in begun.items() if count != 1 + in_work[key]]
    print(
        f"table identical: {same}; begun {sum(begun.values())} times, {sum(in_work.values())} of them killed;"
    )
    print(f"scans computed again without having been in work: {len(twice)}")


def measure_shared(folder: Path, _arguments: argparse.Namespace) -> None:
    """Run four batches of the same scans at once with one cache, too small for all, and compare their tables."""
    manifest = write_small_study(folder / "scans", 2, SHARED_SCANS // 2)
    run(manifest, folder / "alone", "--workers", "1", "--threads", "1", "--no-cache")
    options = ("--workers", "1", "--threads", "1", "--cache", str(folder / "cache"), "--cache-limit", "40M")
    processes = [started(manifest, folder / f"shared-{number}", *options) for number in range(SHARING)]
    codes = [process.wait() for process in processes]
    table = (folder / "alone" / "study.csv").read_bytes()
    same = [(folder / f"shared-{number}" / "study.csv").read_bytes() == table for number in range(SHARING)]
    size = sum(file.stat().st_size for file in (folder / "cache").iterdir())
    print(f"exit codes {codes}, tables identical: {same}, cache {size / 2**20:.0f} MiB")


def measure_cost(folder: Path, _arguments: argparse.Namespace) -> None:
    """Compare the batch with `samlandmark transfer` on the same scans, and two workers with one.

    What a scan costs is the difference between many and few of them, so that the start of programs does not count.
    """
    seconds: dict[str, list[tuple[float, float]]] = {}
    for number in range(RUNS):
        for name, options in {"transfer": None, **BATCHES}.items():
            times = []
            for scans in (FEW_SCANS, MANY_SCANS):
                place = folder / f"{name} {scans} {number}"
                manifest, targets = write_full_study(place, scans)
                if options is None:
                    command = ["transfer", *TEMPLATE, *(f"--target={target}" for target in targets)]
                else:
                    command = ["batch", str(manifest), *(part.format(place) for part in options)]
                begun = time.perf_counter()
                arguments = program(*command, "--output", str(place / "out"))
                subprocess.run(arguments, check=True, capture_output=True)
                times.append(time.perf_counter() - begun)
            marginal = (times[1] - times[0]) / (MANY_SCANS - FEW_SCANS)
            seconds.setdefault(name, []).append((marginal, times[0] - FEW_SCANS * marginal))
    plain = median(marginal for marginal, _start in seconds["transfer"])
    for name, values in seconds.items():
        marginal, start = (median(column) for column in zip(*values, strict=True))
        print(f"{name}: {marginal:.2f} s a scan, {marginal / plain:.2f} of transfer; start {start:.1f} s")
    for name in BATCHES:
        print_parts(folder / f"{name} {MANY_SCANS} 0" / "out", name)


def print_parts(output: Path, name: str) -> None:
    """Print how long each part of a scan took, in the median."""
    parts = [entry.seconds for entry in entries(output).values()]
    print(f"{name}: " + ", ".join(f"{key} {median(part[key] for part in parts):.3f} s" for key in parts[0]))


def measure_memory(folder: Path, _arguments: argparse.Namespace) -> None:
    """Watch the memory of the command and of its worker while 200 scans go through."""
    manifest = write_small_study(folder / "scans", PATIENTS, FOLLOW_UPS)
    process = started(manifest, folder / "out", "--workers", "1", "--cache", str(folder / "cache"))
    rows = []
    while process.poll() is None:
        done = scans_done(folder / "out")
        with suppress(psutil.NoSuchProcess):
            command = psutil.Process(process.pid)
            workers = [child.memory_info().rss for child in command.children(recursive=True)]
            rows.append((done, command.memory_info().rss, max(workers, default=0)))
        time.sleep(1.0)
    total = PATIENTS * FOLLOW_UPS
    for low in range(0, total, total // 8):
        part = [row for row in rows if low < row[0] <= low + total // 8]
        command, worker = (np.median([row[column] for row in part]) / 2**20 for column in (1, 2))
        print(f"scans {low + 1} to {low + total // 8}: command {command:.0f} MiB, worker {worker:.0f} MiB")


def write_full_study(folder: Path, count: int) -> tuple[Path, list[Path]]:
    """The bundled follow-up several times, each moved by a millimetre, with the bundled template."""
    folder.mkdir()
    image = sitk.ReadImage(str(SAMPLE / "followup.nii.gz"))
    origin = image.GetOrigin()
    scans = []
    for number in range(count):
        image.SetOrigin((origin[0], origin[1], origin[2] + number))
        scans.append(folder / f"followup-{number}.nii.gz")
        sitk.WriteImage(image, str(scans[-1]))
    manifest = folder / "manifest.csv"
    with open(manifest, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", "role", "date", "volume", "landmarks"))
        writer.writerow(("sample", "template", "", TEMPLATE[1], TEMPLATE[3]))
        writer.writerows(("sample", "follow-up", "", scan, "") for scan in scans)
    return manifest, scans


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "SAMLandmarkLib", *arguments]


def started(manifest: Path, output: Path, *options: str) -> subprocess.Popen:
    command = program("batch", str(manifest), "--output", str(output), *options)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(manifest: Path, output: Path, *options: str) -> float:
    begun = time.perf_counter()
    if started(manifest, output, *options).wait() != 0:
        raise SystemExit(f"the run into {output} failed")
    return time.perf_counter() - begun


def scans_done(output: Path) -> int:
    with suppress(SAMLandmarkError), Ledger.read(output) as ledger:
        return sum(state is State.DONE for state, _ in ledger.states().values())
    return 0


def entries(output: Path) -> dict:
    if not (output / LEDGER_NAME).exists():
        return {}
    with Ledger.read(output) as ledger:
        return ledger.entries()


if __name__ == "__main__":
    main()
