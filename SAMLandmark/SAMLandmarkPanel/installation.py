"""Installs the Python packages that the engine needs, after asking: from the internet or from a folder."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import CalledProcessError

from slicer.i18n import tr as _

from .installation_source import InstallationSource
from .library_path import libraryFolder
from .pip_process import InstallationError, pythonCommand, pythonEnvironment, runPip
from .python_packages import missingRequirements

__all__ = [
    "InstallationError",
    "InstallationSource",
    "ensureInstalled",
    "install",
    "installFromFolder",
    "installFromInternet",
    "libraryFolder",
    "missingRequirements",
    "pythonCommand",
    "pythonEnvironment",
]

_LOG = logging.getLogger(__name__)


def ensureInstalled(parent: object | None = None) -> bool:
    """Whether all packages are there, after installing what is missing if the user agrees.

    Costs milliseconds and opens no window when nothing is missing. A failure is shown to the user. In Slicer's testing
    mode nothing is asked and nothing installed. Call it on the main thread.
    """
    import slicer

    missing = missingRequirements()
    if not missing:
        return True
    if slicer.app.testingEnabled():
        _LOG.warning("Testing mode: these Python packages are missing and stay so: %s", ", ".join(missing))
        return False
    return _installAfterAsking(missing, parent)


def install(
    requirements: Sequence[str], source: InstallationSource, keepGoing: Callable[[], bool] = lambda: True
) -> None:
    """Install `requirements` from `source`; raises InstallationError, also where they can't be found afterwards."""
    if source.folder is None:
        installFromInternet(requirements, keepGoing)
    else:
        installFromFolder(source.folder, requirements, keepGoing)
    if absent := [item for item in missingRequirements() if item in requirements]:
        raise InstallationError(
            _("{packages} was installed, but is not found yet; restart Slicer.").format(
                packages=", ".join(absent)
            )
        )


def installFromFolder(
    folder: str | Path, requirements: Sequence[str], keepGoing: Callable[[], bool] = lambda: True
) -> None:
    """Install from a folder of wheels, without any network; raises InstallationError."""
    folder = Path(folder)
    if not any(folder.glob("*.whl")):
        raise InstallationError(
            _(
                "There are no packages (*.whl) in {folder}; choose the folder that 'pip download' filled."
            ).format(folder=folder)
        )
    runPip(["--no-index", "--find-links", str(folder), *requirements], keepGoing)


def installFromInternet(requirements: Sequence[str], keepGoing: Callable[[], bool] = lambda: True) -> None:
    """Install torch through the extension PyTorch, which picks the build for the GPU, and the rest with pip.

    Raises InstallationError.
    """
    rest = [item for item in requirements if not _isTorch(item)]
    for item in requirements:
        if _isTorch(item):
            _installTorch(item.removeprefix("torch"))
    if rest:
        _installRest(rest, keepGoing)


def _installAfterAsking(missing: list[str], parent: object | None) -> bool:
    from .installation_dialogs import ProgressWindow, askForSource, showFailure

    source = askForSource(missing, parent)
    if source is None:
        return False
    try:
        with closing(ProgressWindow(parent)) as keepGoing:
            install(missing, source, keepGoing)
    except InstallationError as error:
        showFailure(error, parent)
        return False
    return True


def _isTorch(requirement: str) -> bool:
    return re.match(r"torch(?![\w-])", requirement) is not None


def _installTorch(versions: str) -> None:
    try:
        import PyTorchUtils
    except ImportError as error:
        raise InstallationError(
            _(
                "Slicer's extension PyTorch is missing; install it in the Extensions Manager, restart Slicer and try"
                " again, or choose a folder with the packages."
            )
        ) from error
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=versions)
    except Exception as error:  # whatever pip, the extension, or the first import of torch may raise
        raise _torchFailure(str(error)) from error
    if torch is None:
        raise _torchFailure(_("it was declined"))


def _torchFailure(reason: str) -> InstallationError:
    return InstallationError(
        _(
            "PyTorch can't be installed: {reason}. Check the internet connection and the free disk space, or choose a"
            " folder with the packages."
        ).format(reason=reason.rstrip(". \n"))
    )


def _installRest(requirements: list[str], keepGoing: Callable[[], bool]) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:  # Slicer 5.10
        runPip(requirements, keepGoing)
        return
    try:
        pip_ensure(requirements, prompt_install=False, requester="SAMLandmark")
    except (CalledProcessError, RuntimeError) as error:
        raise InstallationError(
            _("{packages} can't be installed: {reason}").format(
                packages=", ".join(requirements), reason=error
            )
        ) from error
