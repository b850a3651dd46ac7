"""Embeddings on disk: exact, found by content, replaced when damaged, never more than allowed, shared by processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.cache import EmbeddingCache, default_cache_folder, embedding_key, scan_digest
from SAMLandmarkLib.review.item import point_or_none
from SAMLandmarkLib.utils.errors import OutputError
from SAMLandmarkLib.worker import WorkerSettings

from .cache_user import random_embedding
from .conftest import PATIENCE_SECONDS, Told, poll_until, scan_data

KEYS = [f"{number:064x}" for number in range(4)]


@pytest.fixture
def cache(tmp_path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "cache", 2**30)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_embedding_comes_back_to_the_bit(cache, dtype):
    embedding = random_embedding(coarse_dtype=dtype)
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], embedding)
    found = cache.get(KEYS[0])
    for level, expected in zip(found.levels, embedding.levels, strict=True):
        assert level.vectors.dtype == expected.vectors.dtype
        assert torch.equal(level.vectors, expected.vectors)
        np.testing.assert_array_equal(level.grid.origin_lps, expected.grid.origin_lps)
        assert (level.grid.spacing_mm, level.grid.size_ijk) == (
            expected.grid.spacing_mm,
            expected.grid.size_ijk,
        )
    assert torch.equal(found.image.values, embedding.image.values)
    assert found.image.grid.size_ijk == embedding.image.grid.size_ijk
    np.testing.assert_array_equal(found.support_points_lps, embedding.support_points_lps)
    np.testing.assert_array_equal(found.field_of_view.ijk_to_lps, embedding.field_of_view.ijk_to_lps)
    assert found.field_of_view.size_ijk == embedding.field_of_view.size_ijk
    assert found.seconds == embedding.seconds


def test_key_is_of_content_and_not_of_name(engine):
    array = np.random.default_rng(1).integers(-900, 900, (5, 6, 7)).astype(np.int16)
    other = array.copy()
    other[1, 2, 3] += 1
    shifted = np.eye(4)
    shifted[0, 3] = 1e-9
    same = [Volume(array, np.eye(4), "a"), Volume(array.astype(np.int64), np.eye(4), "b")]
    different = [
        Volume(other, np.eye(4)),
        Volume(array, shifted),
        Volume(array.astype(np.float32), np.eye(4)),
        Volume(array.reshape(6, 5, 7), np.eye(4)),
    ]
    assert len({embedding_key(scan_digest(volume), engine.model) for volume in same}) == 1
    assert len({embedding_key(scan_digest(volume), engine.model) for volume in [same[0], *different]}) == 5


def test_least_recently_used_make_room(cache):
    cache.put(KEYS[0], random_embedding())
    one = cache.size_bytes()
    cache.limit_bytes = 3 * one + 100
    for age, key in ((300, KEYS[0]), (200, KEYS[1]), (100, KEYS[2])):
        cache.put(key, random_embedding())
        os.utime(cache.folder / f"{key}.npz", (time.time() - age,) * 2)
    assert cache.get(KEYS[0]) is not None
    cache.put(KEYS[3], random_embedding())
    assert [cache.get(key) is not None for key in KEYS] == [True, False, True, True]
    assert cache.size_bytes() <= cache.limit_bytes


def test_what_is_larger_than_the_limit_is_not_kept(cache):
    cache.limit_bytes = 10
    cache.put(KEYS[0], random_embedding())
    assert cache.size_bytes() == 0


def damaged(contents: bytes) -> dict[str, bytes]:
    middle = len(contents) // 2
    return {
        "empty": b"",
        "cut": contents[:middle],
        "one bit": contents[:middle] + bytes([contents[middle] ^ 1]) + contents[middle + 1 :],
        "other": b"something else",
    }


@pytest.mark.parametrize("damage", ["empty", "cut", "one bit", "other"])
def test_damaged_entry_counts_as_none_and_is_replaced(cache, damage):
    cache.put(KEYS[0], random_embedding())
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(damaged(entry.read_bytes())[damage])
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], random_embedding())
    assert cache.get(KEYS[0]) is not None


def test_entry_that_would_run_code_is_not_read(cache):
    cache.put(KEYS[0], random_embedding())
    (entry,) = cache.folder.iterdir()
    with np.load(entry) as archive:
        arrays = dict(archive)
    arrays["level_0"] = np.array([Path], dtype=object)
    np.savez(entry, allow_pickle=True, **arrays)
    assert cache.get(KEYS[0]) is None


def test_clear_leaves_what_is_not_the_caches(cache):
    cache.put(KEYS[0], random_embedding())
    mine = cache.folder / "notes.npz"
    mine.write_text("mine")
    cache.clear()
    assert list(cache.folder.iterdir()) == [mine]
    assert cache.size_bytes() == 0


def test_leftovers_of_dead_writers_go_and_those_at_work_stay(cache):
    cache.put(KEYS[0], random_embedding())
    dead, living = (cache.folder / f".{name * 12}.npz" for name in "ab")
    for path in (dead, living):
        path.write_bytes(b"half")
    os.utime(dead, (time.time() - 7200,) * 2)
    cache.put(KEYS[1], random_embedding())
    assert not dead.exists()
    assert living.exists()


def test_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    cache = EmbeddingCache(tmp_path / "file" / "cache", 2**30)
    assert cache.size_bytes() == 0
    assert cache.get(KEYS[0]) is None
    with pytest.raises(OutputError, match="file"):
        cache.put(KEYS[0], random_embedding())


def test_folder_is_private_and_of_this_user(cache):
    cache.put(KEYS[0], random_embedding())
    assert default_cache_folder().is_absolute()
    assert default_cache_folder().is_relative_to(Path.home()) or "XDG_CACHE_HOME" in os.environ
    if os.name == "posix":
        assert cache.folder.stat().st_mode & 0o077 == 0


def test_two_workers_share_a_cache_and_mend_it(make_client, template, followup, request_for, tmp_path):
    settings = WorkerSettings(cache_folder=tmp_path / "shared")
    clients, scans = (
        [make_client(settings) for _ in range(2)],
        (("template", template), ("followup", followup)),
    )
    replies = [{}, {}]
    for client, reply in zip(clients, replies, strict=True):
        for key, volume in scans:
            client.embed(
                scan_data(key, volume), on_done=lambda done, reply=reply: reply.update({done.key: done})
            )
    assert all(client.wait(PATIENCE_SECONDS) for client in clients)
    entries = sorted((tmp_path / "shared").iterdir())
    assert len(entries) == 2
    answers = [transferred(clients[0], request_for)]
    entries[0].write_bytes(entries[0].read_bytes()[:-1000])
    again = {}
    for key, volume in scans:
        clients[1].embed(scan_data(key, volume), on_done=lambda done: again.update({done.key: done}))
    assert clients[1].wait(PATIENCE_SECONDS)
    assert sorted(reply.from_cache for reply in again.values()) == [False, True]
    answers.append(transferred(clients[1], request_for))
    assert answers[0] == answers[1]
    third = make_client(settings)
    told = Told()
    for key, volume in scans:
        third.embed(scan_data(key, volume), **told.callbacks)
    assert third.wait(PATIENCE_SECONDS)
    assert [reply.from_cache for reply in told.done] == [True, True]
    assert transferred(third, request_for) == answers[0]


def test_four_programs_share_a_cache_with_room_for_some_and_each_reads_what_was_written(cache):
    script = Path(__file__).with_name("cache_user.py")
    users = [
        subprocess.Popen(
            [sys.executable, str(script), str(cache.folder), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for number in range(4)
    ]
    ended = [(user.communicate(timeout=PATIENCE_SECONDS), user.returncode) for user in users]
    assert [code for _told, code in ended] == [0] * 4, ended
    told = [json.loads(out) for (out, _err), _code in ended]
    assert all(one["found"] and one["written"] for one in told)
    assert sum(one["wrong"] for one in told) == 0
    # nothing but entries is left, and no more of them than there may be
    assert {path.suffix for path in cache.folder.iterdir()} == {".npz"}
    assert cache.size_bytes() <= told[0]["limit"]


def transferred(client, request_for) -> list[tuple]:
    told = Told()
    client.transfer(request_for(), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    return [
        (answer.label, point_or_none(answer.position_lps), answer.status) for answer in told.result.answers
    ]


def test_cancelling_does_not_lose_what_is_embedded(make_client, template, followup):
    client, first, second, again = make_client(), Told(), Told(), Told()
    client.embed(scan_data("template", template), **first.callbacks)
    client.embed(scan_data("followup", followup), **second.callbacks)
    poll_until(client, lambda: first.done)
    client.cancel()
    client.poll()
    assert second.failure.kind == "cancelled"
    client.embed(scan_data("template", template), **again.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    assert again.result.from_cache
    assert replace(again.result, seconds=0, from_cache=False) == replace(first.result, seconds=0)


def test_cache_that_cannot_be_written_costs_no_answer(make_client, template, tmp_path, told):
    (tmp_path / "file").write_text("")
    client = make_client(WorkerSettings(cache_folder=tmp_path / "file" / "cache"))
    client.embed(scan_data("template", template), **told.callbacks)
    assert client.wait(PATIENCE_SECONDS)
    (note,) = told.result.notes
    assert "not kept" in note
