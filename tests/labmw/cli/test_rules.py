"""labmw rules: every command says what it found, in two languages and as JSON, and ends as it says it does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from labmw.phrases import codes
from rules.pack import SHIPPED
from simulators.history import write

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

pytestmark = pytest.mark.xdist_group("daemon")


def run(house: House, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = house.labmw("rules", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def found(house: House, *arguments: str, code: int = 0) -> Any:
    return json.loads(run(house, *arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.parquet"
    write(path, 11, 150, mishap_rate=0.05)
    return path


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    folder = tmp_path / "chemistry"
    shutil.copytree(SHIPPED / "chemistry", folder)
    page = folder / "pack.toml"
    page.write_text(page.read_text(encoding="utf-8").replace('version = "2026.3"', 'version = "2026.4"').replace("limit = 25", "limit = 12").replace('"4.0", unit = "mmol/L", before = "24h"', '"4.9", unit = "mmol/L", before = "24h"', 1).replace('"5.2", unit = "mmol/L", previous = { value = "4.0", unit = "mmol/L", before = "24h"', '"5.6", unit = "mmol/L", previous = { value = "4.0", unit = "mmol/L", before = "24h"'), encoding="utf-8")  # fmt: skip
    return folder


def test_shipped_packs_pass_lint_and_test(house: House) -> None:
    rows = found(house, "lint")
    assert {row["weight"] for row in rows} <= {"remark"}
    made = found(house, "test")
    assert {one["pack"].partition("@")[0] for one in made["packs"]} >= {"chemistry", "haematology", "immunoassay"}
    assert not made["broken"] and all(
        one["examples"] and one["boundaries"] and not one["failed"] for one in made["packs"]
    )
    assert any(one["condition"] for one in found(house, "coverage"))
    for command in ("lint", "test", "coverage"):
        english, french = (run(house, command, "--language", tongue).stdout for tongue in ("en", "fr"))
        assert english != french and "chemistry" in english


def test_a_pack_that_cannot_be_used_is_named_with_its_line(house: House, changed: Path) -> None:
    page = changed / "pack.toml"
    page.write_text(page.read_text(encoding="utf-8").replace("AST > 800 and", "ASTT > 800 and"), encoding="utf-8")
    [row] = [row for row in found(house, "lint", str(changed), code=1) if row["weight"] == "error"]
    assert "line " in row["sentence"] and "did you mean 'AST'" in row["sentence"]
    assert "did you mean" in run(house, "test", str(changed), code=1).stdout
    assert "did you mean" in run(house, "coverage", str(changed), code=1).stderr
    run(house, "report", "--pack", str(changed), "--out", str(changed / "x.pdf"), code=1)


def test_a_change_is_replayed_and_told(house: House, changed: Path, history: Path) -> None:
    options = ("replay", "--pack", str(changed), "--baseline", str(SHIPPED / "chemistry"), "--data", str(history))
    made = found(house, *options)
    assert made["held"] > 0 and made["released"] == 0
    assert made["held_after"] == made["held_before"] + made["held"]
    [delta] = [rule for rule in made["rules"] if rule["rule"] == "chemistry/DELTA-K"]
    assert delta["after"] > delta["before"]
    assert len(made["examples"]["held"]) == min(20, made["held"])
    some = found(house, *options, "--from", "2025-03-01", "--to", "2025-06-01")
    assert 0 < some["results"] < made["results"]
    english = run(house, *options, "--language", "en").stdout
    assert "Released before, held after" in english and "Planted mishaps" in english


def test_active_is_what_the_configuration_says(house: House, history: Path) -> None:
    house.config.write_text(
        house.config.read_text() + '[rules]\npacks = ["chemistry"]\nsignatures = "signatures.toml"\n'
    )
    (house.folder / "signatures.toml").write_text("")
    options = ("replay", "--pack", str(SHIPPED / "chemistry"), "--data", str(history), "--config", str(house.config))
    made = found(house, *options)
    assert made["before"] == "-" and made["held_before"] == made["results"], "nothing is signed, so everything waits"
    assert made["released"] > 0
    (house.folder / "signatures.toml").write_text("nonsense")
    run(house, *options, code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("replay", "--pack", "{chemistry}", "--data", "no.parquet", "--baseline", "{chemistry}"), 1, "there is no such file"),
        (("replay", "--pack", "nowhere", "--data", "{history}", "--baseline", "{chemistry}"), 1, "there is no such file"),
        (("replay", "--pack", "{chemistry}", "--data", "{history}", "--baseline", "{chemistry}", "--from", "2031-01-01"), 1, "nothing to judge"),
        (("replay", "--pack", "{chemistry}", "--data", "{history}", "--baseline", "{chemistry}", "--from", "soon"), 2, "is not a day"),
        (("tune", "delta", "--data", "{history}", "--false-hold", "60%"), 2, "is not a share"),
        (("tune", "delta", "--data", "{history}", "--false-hold", "x"), 2, "is not a share"),
        (("tune", "weather", "--data", "{history}"), 2, "cannot be tuned"),
        (("tune", "delta", "--data", "{history}", "--tests", "0-0"), 1, "too few"),
        (("tune", "identity", "--data", "{history}", "--tests", "0-0"), 1, "too few"),
        (("tune", "delta", "--data", "no.csv"), 1, "there is no such file"),
        (("report", "--pack", "{chemistry}", "--out", "x.doc"), 2, ".pdf"),
        (("report", "--pack", "{chemistry}", "--out", "/no/such/folder/x.html"), 1, "cannot be written"),
        (("diff", "nowhere", "{chemistry}"), 2, "there is no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(
    house: House, history: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    given = [one.format(history=history, chemistry=SHIPPED / "chemistry") for one in arguments]
    assert said in run(house, *given, "--language", "en", code=code).stderr


def test_without_a_configuration_nothing_is_active(house: House, history: Path) -> None:
    import os
    import sys

    environment = {key: value for key, value in os.environ.items() if key != "LABMW_CONFIG"}
    command = [
        sys.executable,
        "-c",
        "from labmw.cli import main; main()",
        "rules",
        "replay",
        "--pack",
        str(SHIPPED / "chemistry"),
        "--data",
        str(history),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nothing is active" in done.stderr


def test_tuning_says_what_the_history_supports(house: House, history: Path) -> None:
    deltas = found(house, "tune", "delta", "--data", str(history), "--tests", "787-2,2823-3", "--window", "720")
    assert {one["name"] for one in deltas} == {"787-2", "2823-3"} and all(one["limit"] > 0 for one in deltas)
    assert found(house, "tune", "limits", "--data", str(history), "--tests", "2951-2")[0]["pairs"] > 10
    curve = found(house, "tune", "identity", "--data", str(history), "--window", "720")
    assert [point[0] for point in curve["curve"]] == [0.01, 0.02, 0.05, 0.1]
    for what in ("delta", "limits", "identity"):
        assert run(house, "tune", what, "--data", str(history), "--language", "fr").stdout


def test_a_difference(house: House, changed: Path) -> None:
    rows = found(house, "diff", str(SHIPPED / "chemistry"), str(changed), code=1)
    assert {(row["where"], row["what"]) for row in rows} == {("pack", "version"), ("rule DELTA-K", "limit")}
    assert "DELTA-K" in run(house, "diff", str(SHIPPED / "chemistry"), str(changed), code=1).stdout
    assert "Nothing has changed" in run(house, "diff", str(changed), str(changed), "--language", "en").stdout


def test_a_dossier(house: House, history: Path, tmp_path: Path) -> None:
    page, paper = tmp_path / "dossier.html", tmp_path / "dossier.pdf"
    run(
        house,
        "report",
        "--pack",
        str(SHIPPED / "chemistry"),
        "--out",
        str(page),
        "--data",
        str(history),
        "--language",
        "en",
    )
    text = page.read_text(encoding="utf-8")
    assert "Nobody has signed this version" in text and "sha256:" in text and "DELTA-K" in text and "Replay" in text
    run(house, "report", "--pack", str(SHIPPED / "chemistry"), "--out", str(paper), "--language", "fr")
    assert paper.read_bytes().startswith(b"%PDF-")


def test_nothing_judged_is_said(house: House) -> None:
    house.prepare()
    done = run(house, "explain", "S0001", "--config", str(house.config), code=1)
    assert "has a verdict" in done.stderr


def test_every_sentence_is_there() -> None:
    import re

    root = Path(__file__).parents[3] / "labmw" / "cli"
    text = "".join(
        (root / name).read_text(encoding="utf-8")
        for name in (
            "rules.py",
            "rules_replay.py",
            "rules_view.py",
            "rules_explain.py",
            "rules_dossier.py",
            "rules_measured.py",
            "rules_states.py",
            "rules_roster.py",
        )
    )
    for code in re.findall(r'say\("([a-z-]+)"', text):
        assert code in codes(), code
    for column in re.findall(r"rules-column-([a-z-]+)", "\n".join(codes())):
        assert f'"{column}"' in text, f"rules-column-{column} is shown nowhere"
    assert pl.__version__
