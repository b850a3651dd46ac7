"""Whether everything works here, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engine.settings import WorkerSettings
from ..utils.translation import _
from .client import WorkerClient
from .messages import WorkerFailure


@dataclass(frozen=True)
class Diagnosis:
    """Whether the worker works: one sentence that says so, or what is wrong and what to do; details for a report."""

    ok: bool
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)


def start_diagnosis(client: WorkerClient, on_done: Callable[[Diagnosis], None]) -> None:
    """Load the model and transfer the bundled sample in the client's worker; `on_done` is called by `client.poll`."""

    def check(described: dict[str, Any]) -> None:
        client.test(lambda tested: on_done(_judged(described, tested)), fail)

    def fail(failure: WorkerFailure) -> None:
        on_done(Diagnosis(False, failure.message, {"kind": failure.kind, "log": failure.details}))

    client.describe(check, fail)


def diagnose(
    settings: WorkerSettings | None = None,
    python: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 180.0,
) -> Diagnosis:
    """Start a worker of its own and test it; waits for the answer, at most `timeout` seconds."""
    client = WorkerClient(settings, python, environment)
    answers: list[Diagnosis] = []
    try:
        start_diagnosis(client, answers.append)
        client.wait(timeout)
        log = client.log_tail()
    finally:
        client.close()
    if answers:
        return answers[0]
    return Diagnosis(
        False,
        _("The worker did not answer within {seconds} seconds; close other programs and try again.").format(
            seconds=round(timeout)
        ),
        {"kind": "timeout", "log": log},
    )


def _judged(described: dict[str, Any], tested: dict[str, Any]) -> Diagnosis:
    details = {**described, "sample": tested}
    device = described["device_name"]
    if tested["right"]:
        right = _(
            "Everything works: {count} landmarks of the sample were transferred with a median error of {mm} mm in "
            "{seconds} s on {device}."
        ).format(
            count=tested["points"],
            mm=f"{tested['median_mm']:.1f}",
            seconds=round(tested["seconds"]),
            device=device,
        )
        return Diagnosis(True, right, details)
    wrong = _(
        "The model runs on {device} but does not find the landmarks of the sample; set the device to CPU under "
        "Advanced, and please report it."
    )
    return Diagnosis(False, wrong.format(device=device), details)
