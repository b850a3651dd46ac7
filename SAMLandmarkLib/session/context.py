"""The parts of a session that its collaborators share."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from ..scene.layout import MainWindow
from ..scene.mrml import Scene
from ..worker.client import WorkerClient
from .display import Viewing
from .jobs import SessionJobs
from .markups_changes import MarkupsChangeHandler
from .observable import Observable
from .review_scene_store import ReviewSceneStore
from .volume_changes import VolumeChangeHandler


@dataclass
class SessionOptions:
    """Who signs the log, and what the user has switched on.

    `live`: every landmark placed or dragged on the template is transferred at once. `use_corrections`: landmarks that
    the user corrected in one follow-up help to find them in the others.
    """

    who: str
    live: bool = False
    use_corrections: bool = False


@dataclass(frozen=True, eq=False)
class SessionContext:
    """Scene, options, review, jobs, views and listeners of one session."""

    scene: Scene
    options: SessionOptions
    notices: Observable
    store: ReviewSceneStore
    jobs: SessionJobs
    viewing: Viewing
    volumes: VolumeChangeHandler
    changes: MarkupsChangeHandler

    @classmethod
    def create(
        cls,
        scene: Scene,
        worker: WorkerClient,
        notices: Observable,
        who: str = "",
        window: MainWindow | None = None,
    ) -> SessionContext:
        """The parts of a new session; `notices` has its listeners; for the rest see `TransferSession`."""
        store, jobs = ReviewSceneStore(scene), SessionJobs(scene, worker, notices)
        volumes = VolumeChangeHandler(store)
        return cls(
            scene=scene,
            options=SessionOptions(who or login_name()),
            notices=notices,
            store=store,
            jobs=jobs,
            viewing=Viewing(store, jobs, window),
            volumes=volumes,
            changes=MarkupsChangeHandler(store, jobs, volumes),
        )


def login_name() -> str:
    """The name under which the user is logged in, "" where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
