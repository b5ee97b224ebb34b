"""labmw driver: does it list what is there and show what each driver knows, in both languages, and never a traceback?"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import forked
import pytest

from labmw.cli.driver import row, whole
from labmw.driver.check import loinc_check_digit
from labmw.driver.declaration import Driver, Evidence
from labmw.driver.traps import traps
from labmw.line.registry import Registry
from labmw.phrases import codes
from labmw.quantity import is_ucum

ROOT = Path(__file__).parents[3]
REGISTRY = Registry.find()
BY_NAME = [pytest.param(driver, id=driver.name) for driver in REGISTRY.drivers.values()]


def labmw(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run("driver", *arguments)


def test_the_list_names_every_driver_and_keeps_the_unproven_apart() -> None:
    done = labmw("list", "-l", "en")
    assert (done.returncode, done.stderr) == (0, "")
    first, unproven = done.stdout.split("Unverified, everything they read goes to quarantine")
    proven, restated = first.split("Not proven: made from documents as others restate them")
    part = {Evidence.UNVERIFIED: unproven, Evidence.RESTATED: restated}
    for driver in REGISTRY.drivers.values():
        assert f"\n{driver.name} " in part.get(driver.evidence, proven)
        assert driver.mapping_version in done.stdout
    assert "any-astm" not in proven


def test_at_least_two_dozen_families_are_proven() -> None:
    listed: list[dict[str, Any]] = json.loads(labmw("list", "--json").stdout)
    assert sum(one["evidence"] not in {"unverified", "restated"} for one in listed) >= 24
    assert listed == [row(REGISTRY.drivers[one["name"]]) for one in listed]


@pytest.mark.parametrize("driver", BY_NAME)
def test_a_driver_is_shown_with_its_tests_traps_and_source(driver: Driver) -> None:
    for language in ("en", "fr"):
        shown = whole(driver, language)
        assert len(shown["tests"]) == len(driver.tests)
        assert all(not one["loinc"] or loinc_check_digit(one["loinc"]) for one in shown["tests"])
        assert all(is_ucum(unit) for one in shown["tests"] for unit in (one["unit"], *one["also"]) if unit)
        assert shown["source"]
        assert shown["says"]
        assert all("…" not in trap["text"] for trap in shown["traps"])


@pytest.mark.parametrize("driver", BY_NAME)
def test_every_trap_has_its_sentence(driver: Driver) -> None:
    assert {code for code, _ in traps(driver)} <= codes()


def test_traps_are_those_of_the_declaration() -> None:
    def of(name: str) -> dict[str, dict[str, str]]:
        return {code: dict(facts) for code, facts in traps(REGISTRY.named(name))}

    assert of("euroimmun-analyzer")["trap-specimen"] == {"places": "O.3.1, P.4"}
    assert of("euroimmun-analyzer")["trap-decimal"]["decimal"] == ","
    assert {"trap-anonymous", "trap-no-tests"} <= of("euroimmun-analyzer").keys()
    assert of("cepheid-genexpert")["trap-component"] == {"places": "R.4.1, R.4.2"}
    assert of("cepheid-genexpert-hl7")["trap-component"]["places"] == "OBX.5.1, OBX.5.2"
    assert "trap-coded" in of("law")
    assert "trap-unverified" in of("any-astm")
    assert of("snibe-maglumi")["trap-tolerances"]["tolerances"].startswith("checksum = none")
    assert "trap-measure" in of("roche-citm")


def test_one_driver_on_the_screen_in_french() -> None:
    done = labmw("show", "cepheid-genexpert", "-l", "fr")
    assert done.returncode == 0
    for said in ("Pièges", "20447-9", "{copies}/mL", "Séparateur décimal : . ,", "astm/genexpert/qual-detected.astm"):
        assert said in done.stdout


def test_json_of_one_driver() -> None:
    shown = json.loads(labmw("show", "sysmex-cs", "--json", "-l", "en").stdout)
    assert {
        "code": "04/INR",
        "name": "INR",
        "loinc": "6301-6",
        "unit": "1",
        "also": [],
        "words": [],
        "index": "",
    } in shown["tests"]
    assert shown["traps"][1] == {"code": "trap-specimen", "text": "The specimen is looked for in O.4.3."}


def test_an_unknown_name_ends_with_2_and_names_the_nearest_first() -> None:
    done = labmw("show", "sysmex-xnn", "-l", "en")
    assert (done.returncode, done.stdout) == (2, "")
    assert "use one of sysmex-xn, " in done.stderr


def test_a_broken_file_is_told_and_the_others_are_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('"""Mine."""\nDRIVER = 1\n')
    shutil.copy(ROOT / "drivers" / "erba_xl.py", tmp_path / "erba.py")
    done = labmw("list", "--drivers", str(tmp_path), "-l", "en")
    assert done.returncode == 1
    assert "mine.py" in done.stderr
    assert "own file" in done.stderr
    assert "sysmex-xn" in done.stdout
