"""What is in the wheel? The five packages with everything that they read at run time, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"labmw", "drivers", "protocols", "rules", "simulators"}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def of(pattern: str) -> set[str]:
    """Files of the project that match, as a wheel names them."""
    return {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if "__pycache__" not in path.parts}


@pytest.mark.xdist_group("wheel")
@pytest.mark.parametrize(
    "pattern",
    [
        *(f"{package}/**/*.py" for package in sorted(PACKAGES)),
        *(f"{package}/py.typed" for package in sorted(PACKAGES)),
        "labmw/phrases/**/*.toml",
        "labmw/store/migrations/**/*.py",
        "rules/packs/*/*.toml",
        "rules/packs/*/*.csv",
        "simulators/scenarios/*.toml",
        "simulators/recordings/*",
    ],
)
def test_everything_that_is_read_is_in_it(contents: set[str], pattern: str) -> None:
    assert of(pattern), "nothing matches: mend the pattern"
    assert of(pattern) - contents == set()


@pytest.mark.xdist_group("wheel")
def test_nothing_else_is_in_it(contents: set[str]) -> None:
    tops = {name.split("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert not [name for name in contents if "__pycache__" in name or name.endswith((".db", ".pyc"))]


@pytest.mark.xdist_group("wheel")
def test_the_licence_is_in_it(contents: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in contents)
