"""What a worker does first, and that a click does not wait for a scan that is being embedded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.worker import ScanData
from SAMLandmarkLib.worker.schedule import ScanRef, Schedule, WorkerJob

from .conftest import PATIENCE_SECONDS, Told, poll_until, scan_data

TEMPLATE, NEXT, LAST = (
    ScanRef(f"{key}.npy", key, key.title(), np.eye(4).tolist()) for key in ("a", "b", "c")
)


@pytest.fixture
def schedule() -> Schedule[str]:
    return Schedule()


def embed(schedule: Schedule[str], *scans: ScanRef) -> None:
    for scan in scans:
        schedule.add_embedded(scan, scan.name)


def test_scans_are_embedded_in_the_order_of_asking(schedule):
    for number, scan in enumerate((NEXT, TEMPLATE)):
        schedule.add(WorkerJob(number, "embed", (scan,)))
    for scan in (NEXT, TEMPLATE):
        assert schedule.next_scan() == scan
        embed(schedule, scan)
        assert [job.scans for job in schedule.take_embedding_jobs(scan)] == [(scan,)]


def test_scans_that_landmarks_wait_for_come_first_the_template_before_all(schedule):
    schedule.add(WorkerJob(1, "prepare", (TEMPLATE, NEXT)))
    schedule.add(WorkerJob(2, "embed", (NEXT,)))
    assert schedule.next_scan() == NEXT
    schedule.add(WorkerJob(3, "transfer", (TEMPLATE, LAST)))
    assert schedule.next_scan() == TEMPLATE
    embed(schedule, TEMPLATE)
    assert schedule.next_scan() == LAST
    embed(schedule, LAST)
    assert schedule.next_scan() == NEXT


def test_landmarks_wait_for_their_scans_but_not_for_those_of_others(schedule):
    first, second = WorkerJob(1, "transfer", (TEMPLATE, LAST)), WorkerJob(2, "transfer", (TEMPLATE, NEXT))
    schedule.add(first)
    schedule.add(second)
    embed(schedule, TEMPLATE, NEXT)
    assert schedule.next_job() == (second, {"a": "A", "b": "B"})
    embed(schedule, LAST)
    assert schedule.next_job()[0] == first


def test_what_a_user_asked_for_comes_before_preparation(schedule):
    embed(schedule, TEMPLATE, NEXT)
    for number, do in enumerate(("prepare", "heat_map", "transfer", "describe")):
        schedule.add(WorkerJob(number, do, (TEMPLATE, NEXT) if do != "describe" else ()))
    assert [schedule.next_job()[0].do for _ in range(4)] == ["describe", "heat_map", "transfer", "prepare"]


def test_a_scan_forgotten_while_it_is_embedded_is_not_kept(schedule):
    job = WorkerJob(1, "embed", (NEXT,))
    schedule.add(job)
    assert schedule.next_scan() == NEXT
    assert schedule.forget(NEXT.file) == [job]
    embed(schedule, NEXT)
    assert schedule.embedded(NEXT) is None
    assert schedule.take_embedding_jobs(NEXT) == []


def test_a_failed_scan_takes_along_what_waits_for_it_and_nothing_else(schedule):
    jobs = [
        WorkerJob(1, "embed", (NEXT,)),
        WorkerJob(2, "transfer", (TEMPLATE, NEXT)),
        WorkerJob(3, "embed", (TEMPLATE,)),
    ]
    for job in jobs:
        schedule.add(job)
    assert {job.id for job in schedule.take_jobs_with(NEXT.file)} == {1, 2}
    assert schedule.next_scan() == TEMPLATE


def test_clicks_are_answered_while_another_scan_is_embedded(warm_client, request_for):
    array = np.random.default_rng(2).integers(-200, 900, (180, 180, 180)).astype(np.int16)
    embedding = Told()
    warm_client.embed(ScanData("large", "Large", array, np.diag([2.0, 2.0, 2.0, 1.0])), **embedding.callbacks)
    poll_until(warm_client, lambda: any(step == "fine embedding" for _, step, _ in embedding.progress))
    for _ in range(3):
        click = Told()
        warm_client.transfer(request_for(count=1), **click.callbacks)
        poll_until(warm_client, lambda click=click: click.done or click.failed)
        assert click.result.answers
    assert not embedding.done, "the clicks waited for the embedding"
    assert warm_client.wait(PATIENCE_SECONDS)
    assert embedding.result.key == "large"
    warm_client.forget("large")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_only_what_embeds_has_a_lower_priority(warm_client):
    tasks = Path(f"/proc/{warm_client.process_id}/task").iterdir()
    niceness = {int(task.name): os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks}
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness[warm_client.process_id] == usual
    assert max(niceness.values()) > usual


def test_a_transfer_brings_its_scans_forward(make_client, template, followup, request_for):
    client, order = make_client(), []
    for key, volume in (
        ("other", followup),
        ("another", template),
        ("template", template),
        ("followup", followup),
    ):
        client.embed(scan_data(key, volume), on_done=lambda reply: order.append(reply.key))
    client.transfer(request_for(count=1), on_done=lambda reply: order.append("transfer"))
    assert client.wait(PATIENCE_SECONDS)
    # the first may have been begun before the transfer was known
    assert set(order[:3]) >= {"template", "followup"}
    assert "transfer" in order
