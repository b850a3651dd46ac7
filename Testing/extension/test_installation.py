"""Python packages are checked, and installed by a real pip, from a folder without network."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slicer
from SAMLandmarkPanel import installation, pip_process, python_packages
from SAMLandmarkPanel.installation import InstallationError, InstallationSource

TINY = "samlandmark_tiny_test_package"


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that pip installs into and Python imports from, in place of the real one."""
    folder = tmp_path / "site packages ä"
    folder.mkdir()
    monkeypatch.setenv("PIP_TARGET", str(folder))
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop(TINY, None)


@pytest.fixture
def tiny_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A requirements file, in place of the bundled one, that asks for a package that is not there."""
    path = tmp_path / "requirements.txt"
    path.write_text(
        f"# a comment\n\n--index-url https://nowhere\n{TINY}>=1.5\nnumpy>=1; sys_platform == 'no'\n"
    )
    monkeypatch.setattr("SAMLandmarkLib.utils.bundled.bundled_file", lambda name: path)
    return path


def test_bundled_requirements_are_met_where_the_tests_run() -> None:
    names = {item.name for item in python_packages.requiredPackages()}
    assert "torch" in names
    assert python_packages.missingRequirements() == []


def test_packages_that_slicer_brings_are_never_listed() -> None:
    names = {item.name.lower() for item in python_packages.requiredPackages()}
    assert not names & {"numpy", "simpleitk", "vtk", "scipy"}


@pytest.mark.parametrize("platform", ["win32", "linux", "darwin"])
def test_each_system_gets_one_line_about_torch(platform: str, repository: Path) -> None:
    lines = (repository / "Resources" / "requirements.txt").read_text().splitlines()
    requirements = [python_packages._requirement(line) for line in lines if line.startswith("torch")]
    applying = [item for item in requirements if item.marker.evaluate({"sys_platform": platform})]
    assert len(applying) == 1
    assert applying[0].specifier.contains("2.12.1")
    assert applying[0].specifier.contains("2.13.0") is (platform != "win32")


def test_the_list_agrees_with_that_of_the_python_package(repository: Path) -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    packaged = {item.name: item for item in map(python_packages._requirement, project["dependencies"])}
    for item in python_packages.requiredPackages():
        lowest = {str(part) for part in item.specifier if part.operator == ">="}
        assert lowest == {str(part) for part in packaged[item.name].specifier if part.operator == ">="}


def test_a_missing_package_is_named_with_its_version(tiny_requirements: Path) -> None:
    assert installation.missingRequirements() == [f"{TINY}>=1.5"]


@pytest.mark.parametrize(
    ("version", "missing"), [("1.4", True), ("1.5", False), ("2.0.dev3", False), ("1.6+cu128", False)]
)
def test_an_old_package_counts_as_missing_and_a_development_build_as_there(
    version: str, missing: bool, make_wheel: Callable, site_packages: Path, tiny_requirements: Path
) -> None:
    wheels = make_wheel(TINY, version)
    pip_process.runPip(["--no-index", "--find-links", str(wheels), f"{TINY}=={version}"])
    assert bool(installation.missingRequirements()) is missing


def test_what_an_interrupted_installation_left_counts_as_missing(
    site_packages: Path, tiny_requirements: Path
) -> None:
    (site_packages / f"{TINY}-1.9.dist-info").mkdir()
    assert installation.missingRequirements() == [f"{TINY}>=1.5"]


def test_packages_come_from_a_folder_without_network(
    make_wheel: Callable, site_packages: Path, tiny_requirements: Path
) -> None:
    make_wheel("samlandmark_tiny_test_helper", "1.0")
    wheels = make_wheel(TINY, "1.7", requires="samlandmark_tiny_test_helper")
    installation.install(installation.missingRequirements(), InstallationSource(wheels))
    assert installation.missingRequirements() == []
    assert importlib.import_module(TINY).__version__ == "1.7"
    assert (site_packages / "samlandmark_tiny_test_helper").is_dir()


def test_a_folder_without_packages_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match=f"no packages .*{tmp_path.name}"):
        installation.installFromFolder(tmp_path, [TINY])


def test_a_folder_with_too_old_a_package_says_which_one_is_missing(
    make_wheel: Callable, site_packages: Path
) -> None:
    wheels = make_wheel(TINY, "1.0")
    with pytest.raises(InstallationError, match=f"No matching distribution found for {TINY}>=1.5") as raised:
        installation.installFromFolder(wheels, [f"{TINY}>=1.5"])
    assert "from versions: 1.0" in raised.value.details


def test_a_damaged_package_is_reported(make_wheel: Callable, site_packages: Path) -> None:
    wheels = make_wheel(TINY, "1.7")
    wheel = next(wheels.glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(InstallationError, match="can't be installed: .*[Ww]heel"):
        installation.installFromFolder(wheels, [TINY])
    assert list(site_packages.iterdir()) == []


def test_canceling_stops_pip(make_wheel: Callable, site_packages: Path) -> None:
    wheels = make_wheel(TINY, "1.7")
    calls = iter([True, True, False])
    with pytest.raises(InstallationError, match="canceled"):
        installation.installFromFolder(wheels, [TINY], keepGoing=lambda: next(calls))
    assert list(site_packages.iterdir()) == []


def test_a_package_that_is_not_found_afterwards_asks_for_a_restart(
    make_wheel: Callable, site_packages: Path, tiny_requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(site_packages)])
    with pytest.raises(InstallationError, match="restart Slicer"):
        installation.install([f"{TINY}>=1.5"], InstallationSource(make_wheel(TINY, "1.7")))


def test_without_slicer_packaging_pip_installs_the_rest(
    make_wheel: Callable, site_packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Slicer 5.10. The index is a folder here, so that nothing is downloaded."""
    assert importlib.util.find_spec("slicer.packaging") is None
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(make_wheel(TINY, "1.7")).replace(" ", "%20"))
    installation.installFromInternet([TINY])
    assert importlib.import_module(TINY).__version__ == "1.7"


def test_with_slicer_packaging_it_installs_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """slicer.packaging exists in the desktop application only: the call is held against its signature."""
    calls = []

    def pip_ensure(
        requirements, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True,
        requester=None, skip_in_testing=True, show_progress=True,
    ):  # fmt: skip
        calls.append((requirements, prompt_install, requester))
        if requirements == ["broken"]:
            raise subprocess.CalledProcessError(1, ["pip"])

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = pip_ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    installation.installFromInternet(["typer>=0.12", "rich>=13.7"])
    assert calls == [(["typer>=0.12", "rich>=13.7"], False, "SAMLandmark")]
    with pytest.raises(InstallationError, match="broken can't be installed"):
        installation.installFromInternet(["broken"])


def test_without_the_pytorch_extension_it_says_what_to_do() -> None:
    assert importlib.util.find_spec("PyTorchUtils") is None
    with pytest.raises(InstallationError, match="extension PyTorch is missing; install it"):
        installation.installFromInternet(["torch>=2.2"])


@pytest.mark.parametrize(("requirement", "expected"), [("torch>=2.2,<2.13", ">=2.2,<2.13"), ("torch", "")])
def test_torch_comes_through_the_pytorch_extension(
    requirement: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []

    class PyTorchUtilsLogic:
        def installTorch(
            self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):  # fmt: skip
            versions.append(torchVersionRequirement)
            if len(versions) > 1:
                raise RuntimeError("no space left on device.")
            return types.ModuleType("torch")

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    installation.installFromInternet([requirement])
    assert versions == [expected]
    with pytest.raises(InstallationError, match=r"no space left on device\. Check the internet"):
        installation.installFromInternet([requirement])


def test_packages_whose_name_begins_like_torch_are_not_torch() -> None:
    assert not installation._isTorch("torchvision>=0.17")
    assert not installation._isTorch("torch-geometric")
    assert installation._isTorch("torch==2.9.0")


def test_when_nothing_is_missing_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_installAfterAsking", lambda *_: pytest.fail("asked"))
    assert installation.ensureInstalled() is True


def test_in_testing_mode_nobody_is_asked(
    tiny_requirements: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(installation, "_installAfterAsking", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(testingEnabled=lambda: True), raising=False)
    assert installation.ensureInstalled() is False
    assert f"{TINY}>=1.5" in caplog.text


@pytest.fixture
def python_slicer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program PythonSlicer on PATH that is a real Python."""
    folder = tmp_path / "Slicer 5.12"
    folder.mkdir()
    program = folder / "PythonSlicer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_the_python_of_slicer_finds_the_library(python_slicer: Path, tmp_path: Path) -> None:
    command = installation.pythonCommand()
    assert command == [str(python_slicer)]
    code = "import SAMLandmarkLib.utils.bundled as b; print(b.bundled_file('requirements.txt').name)"
    # Isolated from the checkout that the tests run in, as Slicer's Python is.
    environment = installation.pythonEnvironment()
    printed = subprocess.check_output([*command, "-S", "-c", code], env=environment, cwd=tmp_path, text=True)
    assert printed.strip() == "requirements.txt"


def test_elsewhere_the_running_python_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert installation.pythonCommand() == [sys.executable]


def test_slicer_is_never_started_in_place_of_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    with pytest.raises(InstallationError, match="PythonSlicer was not found beside .*SlicerApp-real"):
        installation.pythonCommand()


def test_a_python_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    with pytest.raises(InstallationError, match="can't be started .*No such file"):
        pip_process.runPip([TINY])


def test_the_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    environment = installation.pythonEnvironment()
    assert environment["PYTHONPATH"].split(os.pathsep)[1:] == ["/somewhere/else"]
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
