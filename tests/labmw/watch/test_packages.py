"""A stranger's `rules` or `drivers` on the path is noticed: it would be imported in silence in place of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labmw.watch import packages
from labmw.watch.finding import Weight

PROGRAM = """
import json
from labmw.watch.packages import installed
print(json.dumps([(one.weight.value, one.subject, one.code) for one in installed()]))
"""


def seen_from(folder: Path) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_the_five_packages_are_installed_together() -> None:
    assert [one.weight for one in packages.installed()] == [Weight.GOOD]


@pytest.mark.parametrize("name", ["rules", "drivers"])
def test_a_foreign_package_of_the_same_name_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('a stranger must not be run')\n")
    assert seen_from(tmp_path) == [["error", name, "check-package-foreign"]]


def test_an_absent_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PACKAGES", ("labmw", "a_package_that_nobody_has"))
    (only,) = packages.installed()
    assert (only.weight, only.code) == (Weight.ERROR, "check-package-absent")
    assert "a_package_that_nobody_has" in only.sentence("fr")
