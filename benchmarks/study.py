"""The batch: does it survive being killed, what does it cost beside the engine, does its memory stay flat.

python benchmarks/study.py kills       200 small scans, killed ten times and resumed, against an undisturbed run
python benchmarks/study.py cost        full-sized scans: two workers against one, the batch against its parts
python benchmarks/study.py memory      the memory of a worker over 200 small scans
"""

from __future__ import annotations

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

from SAMLandmarkLib.bundled import bundled_folder
from SAMLandmarkLib.errors import SAMLandmarkError
from SAMLandmarkLib.evaluation.small_study import write_small_study
from SAMLandmarkLib.study.ledger import LEDGER_NAME, Ledger, State

PATIENTS, FOLLOW_UPS, KILLS = 10, 20, 10
FULL_SCANS, RUNS = 8, 3


def main() -> None:
    measure = {"kills": measure_kills, "cost": measure_cost, "memory": measure_memory}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


def measure_kills(folder: Path) -> None:
    """Kill a run ten times at random moments, and compare its table with that of a run that nothing disturbed."""
    manifest = write_small_study(folder / "scans", PATIENTS, FOLLOW_UPS)
    seconds = run(manifest, folder / "undisturbed", "--workers", "2", "--cache", str(folder / "cache-1"))
    print(f"undisturbed: {len(entries(folder / 'undisturbed'))} scans in {seconds:.0f} s")
    output, in_work = folder / "killed", Counter()
    options = ("--workers", "2", "--cache", str(folder / "cache-2"), "--resume")
    for number in range(KILLS):
        process = started(manifest, output, *options)
        time.sleep(random.uniform(1.0, 1.5 * seconds / KILLS))
        process.kill()
        process.wait()
        found = entries(output)
        in_work.update(key for key, entry in found.items() if entry.state is State.RUNNING)
        done = sum(entry.state is State.DONE for entry in found.values())
        print(f"kill {number + 1}: {done} done, {sum(in_work.values())} in work at a kill so far")
    run(manifest, output, *options)
    same = (output / "study.csv").read_bytes() == (folder / "undisturbed" / "study.csv").read_bytes()
    attempts = {key: entry.attempts for key, entry in entries(output).items()}
    twice = [key for key, count in attempts.items() if count != 1 + in_work[key]]
    print(
        f"table identical: {same}; begun {sum(attempts.values())} times, {sum(in_work.values())} of them killed;"
    )
    print(f"scans computed again without having been in work: {len(twice)}")


def measure_cost(folder: Path) -> None:
    """Compare the batch with `samlandmark transfer` on the same scans, and two workers with one."""
    manifest, scans = write_full_study(folder / "scans")
    landmarks = bundled_folder("SampleData") / "template.mrk.json"
    template = bundled_folder("SampleData") / "template.nii.gz"
    commands = {
        "transfer": [
            "transfer",
            "-t",
            str(template),
            "-l",
            str(landmarks),
            *(f"--target={scan}" for scan in scans),
        ],
        "batch, one worker": ["batch", str(manifest), "--workers", "1", "--no-cache"],
        "batch, one worker, cache": ["batch", str(manifest), "--workers", "1", "--cache", "CACHE"],
        "batch, two workers": ["batch", str(manifest), "--workers", "2", "--no-cache"],
        "batch, this process": ["batch", str(manifest), "--workers", "0", "--no-cache"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(RUNS):
        for name, command in commands.items():
            output = folder / f"{name} {number}"
            begun = time.perf_counter()
            arguments = [part.replace("CACHE", str(folder / f"cache {number}")) for part in command]
            subprocess.run(program(*arguments, "--output", str(output)), check=True, capture_output=True)
            seconds[name].append((time.perf_counter() - begun) / len(scans))
    plain = median(seconds["transfer"])
    for name, values in seconds.items():
        print(
            f"{name}: {median(values):.2f} s a scan (of {len(scans)}), {median(values) / plain:.2f} of transfer"
        )
    print_parts(folder / "batch, one worker 0")
    print_parts(folder / "batch, one worker, cache 0")


def print_parts(output: Path) -> None:
    """Print how long each part of a scan took, in the median."""
    parts = [entry.seconds for entry in entries(output).values()]
    print(
        f"{output.name}: "
        + ", ".join(f"{name} {median(part[name] for part in parts):.3f} s" for name in parts[0])
    )


def measure_memory(folder: Path) -> None:
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


def write_full_study(folder: Path) -> tuple[Path, list[Path]]:
    """The bundled follow-up several times, each moved by a millimetre, with the bundled template."""
    folder.mkdir()
    sample = bundled_folder("SampleData")
    image = sitk.ReadImage(str(sample / "followup.nii.gz"))
    origin = image.GetOrigin()
    scans = []
    for number in range(FULL_SCANS):
        image.SetOrigin((origin[0], origin[1], origin[2] + number))
        scans.append(folder / f"followup-{number}.nii.gz")
        sitk.WriteImage(image, str(scans[-1]))
    manifest = folder / "manifest.csv"
    with open(manifest, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", "role", "date", "volume", "landmarks"))
        writer.writerow(("sample", "template", "", sample / "template.nii.gz", sample / "template.mrk.json"))
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
