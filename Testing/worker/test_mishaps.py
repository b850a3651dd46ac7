"""Workers that are cancelled, killed, starved or never start: one sentence, and the next request works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from SAMLandmarkLib.models.registry import bundled_model
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.worker import WorkerClient, WorkerSettings
from SAMLandmarkLib.worker.private_folder import PrivateFolder

from .conftest import PATIENCE_SECONDS, Told, poll_until, scan_data

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and shells of POSIX")

PROGRAM = """
import sys
import numpy as np
from SAMLandmarkLib.worker import ScanData, WorkerClient

client = WorkerClient(folder=sys.argv[1])
array = np.random.default_rng(1).integers(-900, 900, (200, 200, 200)).astype(np.int16)
scan = ScanData("scan", "scan", array, np.diag([2.0, 2.0, 2.0, 1.0]))
client.embed(scan, on_progress=lambda *progress: print(client.process_id, flush=True))
client.wait()
"""


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    # a dead process that nobody has waited for yet counts as dead
    return "\nState:\tZ" not in Path(f"/proc/{process_id}/status").read_text()


def wait_for_end(process_id: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while is_alive(process_id):
        assert time.monotonic() < end, f"process {process_id} lives on"
        time.sleep(0.01)


@pytest.fixture
def in_the_middle(make_client, template, told) -> Callable[..., object]:
    """A function that makes a client whose worker is in the middle of embedding "template"."""

    def make(**options: object):
        client = make_client(**options)
        client.embed(scan_data("template", template), **told.callbacks)
        poll_until(client, lambda: any(step == "fine embedding" for _, step, _ in told.progress))
        return client

    return make


def assert_next_request_works(client) -> None:
    told = Told()
    client.prepare("template", "template", **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.result is None


@posix_only
def test_cancel_ends_the_whole_process_tree_and_the_next_worker_has_the_scans(in_the_middle, told, tmp_path):
    shell = f'sleep 1000 & echo $! > "{tmp_path}/pid"; exec "$0" "$@"'
    client = in_the_middle(python=["bash", "-c", shell, sys.executable])
    worker, helper = client.process_id, int((tmp_path / "pid").read_text())
    assert is_alive(worker)
    assert is_alive(helper)
    client.cancel()
    assert not told.failed, "callbacks come from poll only"
    client.poll()
    assert told.failure.kind == "cancelled"
    assert not client.busy
    wait_for_end(worker)
    wait_for_end(helper)
    assert_next_request_works(client)
    assert client.process_id != worker


@posix_only
@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [(signal.SIGKILL, "memory", "memory ran out"), (signal.SIGSEGV, "crash", "SIGSEGV")],
)
def test_killed_worker_fails_everything_once_and_is_replaced(
    in_the_middle, told, followup, number, kind, words
):
    client, waiting = in_the_middle(), [Told(), Told()]
    client.embed(scan_data("followup", followup), **waiting[0].callbacks)
    client.prepare("template", "followup", **waiting[1].callbacks)
    os.kill(client.process_id, number)
    assert client.wait(PATIENCE_SECONDS)
    for each in (told, *waiting):
        assert each.failure.kind == kind
        assert words in each.failure.message
    assert_next_request_works(client)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux chooses what to end where memory runs out")
def test_where_memory_runs_out_the_system_ends_the_worker_first(make_client):
    client, told = make_client(), Told()
    client.describe(told.done.append, told.failed.append)
    assert client.wait(PATIENCE_SECONDS)
    assert int(Path(f"/proc/{client.process_id}/oom_score_adj").read_text()) == 1000


def test_python_that_ends_at_once_is_reported(make_client, template, told, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("import sys; print('no module', file=sys.stderr); sys.exit(3)")
    client = make_client(python=[sys.executable, str(script)])
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "start"
    assert "exit code 3" in told.failure.message
    assert "no module" in told.failure.details


def test_python_that_is_not_there_is_named(make_client, template, told, tmp_path):
    client = make_client(python=[str(tmp_path / "missing" / "python")])
    client.embed(scan_data("template", template), **told.callbacks)
    assert not told.failed
    client.poll()
    assert told.failure.kind == "start"
    assert "missing" in told.failure.message


@posix_only
@pytest.mark.parametrize(("name", "reached"), [("SLICER_HOME", True), ("ANYTHING", False)])
def test_slicers_python_is_started_without_its_launcher_from_inside_slicer(
    make_client, tmp_path, told, name, reached
):
    for program, code in (("PythonSlicer", "exit 7"), ("python-real", f'exec "{sys.executable}" "$@"')):
        (tmp_path / program).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / program).chmod(0o755)
    environment = {**os.environ, name: str(tmp_path)}
    client = make_client(python=[str(tmp_path / "PythonSlicer")], environment=environment)
    client.describe(told.done.append, told.failed.append)
    assert client.wait(PATIENCE_SECONDS)
    assert len(told.done) == reached
    if not reached:
        assert "exit code 7" in told.failure.message


def test_missing_torch_is_named(make_client, template, told, tmp_path):
    (tmp_path / "torch.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    client = make_client(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "installation"
    assert told.failure.message.startswith("PyTorch is not installed in ")


def test_missing_numpy_is_named(make_client, template, told, tmp_path):
    (tmp_path / "numpy.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n"
    )
    client = make_client(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "installation"
    assert "NumPy" in told.failure.message


@posix_only
def test_a_worker_starved_of_memory_fails_in_a_sentence(make_client, template, told):
    limited = ["bash", "-c", 'ulimit -v 400000; exec "$0" "$@"', sys.executable]
    client = make_client(python=limited)
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind in ("memory", "installation", "start", "crash")


def test_settings_that_cannot_be_met_are_told_and_can_be_corrected(make_client, template, told, tmp_path):
    client = make_client(WorkerSettings(model=tmp_path / "none.pt"))
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "model"
    assert "none.pt" in told.failure.message
    client.configure(WorkerSettings(device="cuda:99"))
    again = Told()
    client.prepare("template", "template", **again.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert again.failure.kind == "usage"
    client.configure(WorkerSettings())
    assert_next_request_works(client)


@posix_only
def test_scan_that_cannot_be_written_is_reported(make_client, template, told):
    client = make_client()
    client.start()
    shutil.rmtree(client.folder)
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert told.failure.kind == "disk"
    assert str(client.folder) in told.failure.message


def test_close_ends_the_worker_deletes_the_scans_and_calls_nobody(in_the_middle, told):
    client = in_the_middle()
    worker = client.process_id
    client.close()
    client.close()
    client.poll()
    assert not told.done
    assert not told.failed
    assert not client.folder.exists()
    with pytest.raises(UsageError, match="closed"):
        client.describe()
    if os.name == "posix":
        wait_for_end(worker)


def test_forgotten_scan_leaves_no_file_and_fails_what_waits_for_it(in_the_middle, told, followup):
    client = in_the_middle()
    waiting = Told()
    client.embed(scan_data("followup", followup))
    client.prepare("template", "followup", **waiting.callbacks)
    client.forget("followup")
    assert client.wait(PATIENCE_SECONDS)
    assert waiting.failure.kind == "forgotten"
    assert told.result.key == "template"
    assert len(list(client.folder.glob("scan-*"))) == 1


def test_folders_of_programs_that_died_are_removed_and_those_of_living_ones_stay(make_client, tmp_path):
    code = "import sys, os; from SAMLandmarkLib.worker.private_folder import PrivateFolder; "
    code += "folder = PrivateFolder(sys.argv[1]); (folder.path / 'scan.npy').touch(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (dead,) = tmp_path.iterdir()
    living = make_client().folder
    other = tmp_path / "samlandmark-of-somebody-else"
    other.mkdir()
    assert dead.exists(), "it may be just being made"
    long_ago = (time.time() - 3600,) * 2
    for folder in (dead, living):
        os.utime(folder / "owner.lock", long_ago)
    newest = make_client().folder
    assert set(tmp_path.iterdir()) == {living, other, newest}


@posix_only
def test_a_folder_is_removed_also_while_a_thread_still_writes_into_it(tmp_path):
    folder, busy = PrivateFolder(tmp_path), threading.Event()
    scans = folder.path / "scans"
    scans.mkdir()

    def write() -> None:
        with suppress(FileNotFoundError):
            for number in range(50_000):
                (scans / f"{number}").touch()
                if number == 500:
                    busy.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert busy.wait(PATIENCE_SECONDS)
    folder.remove()
    thread.join()
    assert not list(tmp_path.iterdir())


def test_worker_whose_program_was_killed_ends_and_deletes_the_scans(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    private = tmp_path / "private"
    private.mkdir()
    with subprocess.Popen(
        [sys.executable, str(program), str(private)], stdout=subprocess.PIPE, text=True
    ) as process:
        worker = int(process.stdout.readline())
        process.stdout.readline()
        assert list(private.iterdir())
        process.kill()
    wait_for_end(worker)
    assert not list(private.iterdir())


def test_folders_with_letters_of_any_script(tmp_path, template, told):
    folder = tmp_path / "Übung – 検査 наблюдение"
    folder.mkdir()
    model = folder / "модель 模型.safetensors"
    model.write_bytes(bundled_model().read_bytes())
    client = WorkerClient(WorkerSettings(model=model, cache_folder=folder / "кэш"), folder=folder)
    try:
        scan = scan_data("schlüssel / 键", template)
        client.embed(scan, **told.callbacks)
        client.prepare(scan.key, scan.key)
        assert client.wait(PATIENCE_SECONDS)
    finally:
        client.close()
    assert told.result.key == "schlüssel / 键"
    assert len(list((folder / "кэш").iterdir())) == 1
