"""CMake configures and installs the extension, against stubs of Slicer's macros, and the installed library works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CMAKE = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cl")

pytestmark = pytest.mark.skipif(
    not (CMAKE and COMPILER), reason="CMake and a compiler, which it asks for, are not here"
)

LOAD_EVERYTHING = """
import importlib, pathlib, pkgutil, sys
import SAMLandmarkLib
from SAMLandmarkLib import LandmarkSet, TransferEngine
from SAMLandmarkLib.utils.bundled import bundled_file, bundled_folder
packages = {module.name for module in pkgutil.iter_modules(SAMLandmarkLib.__path__)}
assert packages.isdisjoint({"training", "evaluation", "web"}), packages
for module in pkgutil.walk_packages(SAMLandmarkLib.__path__, "SAMLandmarkLib."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
points = LandmarkSet.read(bundled_folder("SampleData") / "template.mrk.json")
engine = TransferEngine(device="cpu")
print(SAMLandmarkLib.__file__, bundled_file("requirements.txt"), bundled_folder("Models"), len(points), sep="\\n")
"""


@pytest.fixture(scope="module")
def build(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configured build folder."""
    folder = tmp_path_factory.mktemp("build")
    slicer = repository / "Testing" / "extension" / "slicer_build"
    command = [CMAKE, "-S", repository, "-B", folder, f"-DSlicer_DIR={slicer}", "-DBUILD_TESTING=ON"]
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert configured.returncode == 0, configured.stderr
    return folder


@pytest.fixture(scope="module")
def installed(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the installed extension that holds SAMLandmark.py."""
    prefix = tmp_path_factory.mktemp("installed")
    subprocess.run([CMAKE, "--install", build, "--prefix", prefix], check=True, capture_output=True)
    return prefix / "lib" / "Slicer-5.12" / "qt-scripted-modules"


def test_installed_library_is_complete_and_finds_its_model(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD_EVERYTHING],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert output.returncode == 0, output.stderr
    library, requirements, models, count = output.stdout.split("\n")[-5:-1]
    assert Path(library) == installed / "SAMLandmarkLib" / "__init__.py"
    assert Path(requirements) == installed / "SAMLandmarkLib" / "Resources" / "requirements.txt"
    assert Path(models) == installed / "SAMLandmarkLib" / "Resources" / "Models"
    assert count == "20"


def test_a_command_whose_part_is_not_installed_says_so(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "SAMLandmarkLib", "serve"]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert "pip install samlandmark" in ended.stderr
    help_text = [sys.executable, "-m", "SAMLandmarkLib", "transfer", "--help"]
    assert (
        subprocess.run(help_text, env=environment, cwd=tmp_path, capture_output=True, check=False).returncode
        == 0
    )


def test_module_and_its_resources_lie_beside_each_other(installed: Path) -> None:
    for name in ("SAMLandmark.py", "Resources/UI/SAMLandmark.ui", "Resources/Icons/SAMLandmark.png"):
        assert (installed / name).is_file()
    assert (installed / "SAMLandmarkPanel" / "installation.py").is_file()


def test_everything_lies_where_slicer_looks_for_scripted_modules(installed: Path) -> None:
    prefix = installed.parents[2]
    assert [path for path in prefix.rglob("*") if path.is_file() and installed not in path.parents] == []
    assert {path.name for path in installed.iterdir()} == {
        "SAMLandmark.py",
        "SAMLandmarkPanel",
        "SAMLandmarkLib",
        "Resources",
    }


def test_nothing_of_the_tests_is_installed(installed: Path) -> None:
    assert not [
        path for path in installed.rglob("*") if "Testing" in path.parts or path.name.startswith("test_")
    ]


def test_self_tests_are_registered(build: Path) -> None:
    listing = subprocess.check_output([Path(CMAKE).with_name("ctest"), "-N"], cwd=build, text=True)
    assert "py_SAMLandmark\n" in listing
    assert "py_SAMLandmarkInstalledTest\n" in listing
