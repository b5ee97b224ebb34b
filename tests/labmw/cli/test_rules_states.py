"""labmw rules sign, activate, retire, state, roster: four eyes where more is let go, one where less, and nothing a broken pack can stop."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import forked
import pytest
from stage import Stage, free_port

from rules.pack import SHIPPED, load

pytestmark = pytest.mark.xdist_group("daemon")


class Laboratory:
    """A configuration whose chemistry pack is the laboratory's own."""

    def __init__(self, folder: Path) -> None:
        Stage(folder, free_port(), free_port()).build(["S1"])
        self.folder, self.pack = folder, folder / "chemistry"
        with (folder / "labmw.toml").open("a", encoding="utf-8") as config:
            config.write('[roles.biologist]\nmay = ["rules", "stop"]\npeople = ["Dr A", "dr a", "Dr B"]\n')
            config.write('[roles.technician]\nmay = ["technical", "stop"]\npeople = ["T"]\n')
        shutil.copytree(SHIPPED / "chemistry", self.pack)
        (folder / "signatures.toml").write_text("", encoding="utf-8")

    def rules(self, *arguments: str, code: int = 0, language: str = "en") -> str:
        spoken = ["-l", language] if language else []
        environment = {**os.environ, "LABMW_CONFIG": str(self.folder / "labmw.toml")}
        done = forked.run("rules", *arguments, *spoken, cwd=self.folder, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def states(self, code: int = 0) -> dict[str, str]:
        found: list[dict[str, Any]] = json.loads(self.rules("state", "--json", code=code))
        return {row["version"]: row["state"] for row in found}

    def change(self, old: str, new: str, file: str = "pack.toml") -> None:
        page = self.pack / file
        text = page.read_text(encoding="utf-8")
        assert old in text
        page.write_text(text.replace(old, new, 1), encoding="utf-8")

    def version(self, old: str, new: str) -> None:
        self.change(f'version = "{old}"', f'version = "{new}"')


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)


def test_from_draft_to_retired(laboratory: Laboratory) -> None:
    pack = str(laboratory.pack)
    assert laboratory.states() == {"2026.3": "draft"}
    told = laboratory.rules("activate", pack, "--by", "Dr A", "--why", "x", code=1)
    assert "second biologist" in told and "first version" in told
    assert "second biologiste" in laboratory.rules(
        "activate", pack, "--by", "Dr A", "--why", "x", code=1, language="fr"
    )
    laboratory.rules("sign", pack, "--step", "reviewed", "--role", "technician", "--by", "T", "--why", "checked")
    assert laboratory.states() == {"2026.3": "reviewed"}
    laboratory.rules("sign", pack, "--step", "approved", "--by", "dr a", "--why", "fine")
    assert laboratory.states() == {"2026.3": "approved"}
    laboratory.rules(
        "activate", pack, "--by", "Dr A", "--why", "x", code=1
    )  # one's own approval is not a second person's
    laboratory.rules("sign", pack, "--step", "approved", "--by", "Dr B", "--why", "fine")
    laboratory.rules("activate", pack, "--by", "Dr A", "--why", "x")
    assert laboratory.states() == {"2026.3": "active"}
    laboratory.rules("sign", pack, "--step", "read", "--role", "technician", "--by", "T", "--why", "read")
    [row] = json.loads(laboratory.rules("state", "--json"))
    assert (row["by"], row["read_by"]) == ("Dr A, Dr B", ["T"])
    laboratory.rules("retire", "chemistry", "--by", "Dr A", "--why", "new method")
    assert laboratory.states() == {"2026.3": "retired"}
    laboratory.rules("retire", "chemistry", "--by", "Dr A", "--why", "again", code=1)


def test_only_who_may_signs_and_puts_in_force(laboratory: Laboratory) -> None:
    pack = str(laboratory.pack)
    laboratory.rules("sign", pack, "--step", "read", "--by", "Somebody", "--why", "x")  # reading is everybody's
    for step in ("reviewed", "approved"):
        assert "Somebody" in laboratory.rules("sign", pack, "--step", step, "--by", "Somebody", "--why", "x", code=1)
    assert "signer et mettre en vigueur" in laboratory.rules(
        "sign", pack, "--step", "approved", "--by", "T", "--why", "x", code=1, language="fr"
    )
    with (laboratory.folder / "signatures.toml").open("a", encoding="utf-8") as file:  # one that got past the command
        one = load(laboratory.pack)
        file.write(
            f'[[signature]]\npack = "{one.id}"\nversion = "{one.version}"\nhash = "{one.hash}"\nwho = "Somebody"\nrole = "biologist"\n'
            'at = 2026-01-01T00:00:00+00:00\nreason = "x"\nstep = "approved"\n'
        )
    laboratory.rules("activate", pack, "--by", "Dr A", "--why", "x", code=1)
    laboratory.rules("sign", pack, "--step", "approved", "--by", "Dr B", "--why", "x")
    laboratory.rules("activate", pack, "--by", "T", "--why", "x", code=1)
    laboratory.rules("activate", pack, "--by", "Dr A", "--why", "x")
    laboratory.rules("roster", "add", "T", "--from", "2026-12-01", "--until", "2026-12-02", "--why", "x", "--by", "T", code=1)  # fmt: skip
    laboratory.rules("retire", "chemistry", "--by", "Somebody", "--why", "x", code=1)
    laboratory.rules("retire", "chemistry", "--by", "T", "--why", "stopping takes one person who may stop")


@pytest.fixture
def active(laboratory: Laboratory) -> Laboratory:
    pack = str(laboratory.pack)
    laboratory.rules("sign", pack, "--step", "approved", "--by", "Dr B", "--why", "fine")
    laboratory.rules("activate", pack, "--by", "Dr A", "--why", "x")
    return laboratory


def test_what_is_stricter_takes_one_person_what_is_looser_two(active: Laboratory) -> None:
    pack = str(active.pack)
    active.version("2026.3", "2026.4")
    active.change("CL,*,18y,,*,*,mmol/L,90,115", "CL,*,18y,,*,*,mmol/L,91,114", "limits.csv")
    active.rules("activate", pack, "--by", "Dr A", "--why", "nearer")
    assert active.states() == {"2026.4": "active"}
    active.version("2026.4", "2026.5")
    active.change("CL,*,18y,,*,*,mmol/L,91,114", "CL,*,18y,,*,*,mmol/L,88,120", "limits.csv")
    told = active.rules("activate", pack, "--by", "Dr A", "--why", "wider", code=1)
    assert "lower release limit 91 -> 88" in told and "upper release limit 114 -> 120" in told
    french = active.rules("activate", pack, "--by", "Dr A", "--why", "wider", code=1, language="fr")
    assert "limites de CL en mmol/L, 18 ans et plus : limite basse de libération 91 -> 88" in french
    assert active.states() == {"2026.4": "active", "2026.5": "draft"}, "the version before goes on"


def test_a_broken_version_leaves_the_one_before_in_force(active: Laboratory) -> None:
    active.change('check = "limit"', 'check = "limlt"')
    told = active.rules("activate", str(active.pack), "--by", "Dr A", "--why", "x", code=1)
    assert "line 138" in told and "did you mean 'limit'?" in told
    assert active.states(code=1) == {"2026.3": "active", "": "broken"}
    assert "goes on judging" in active.rules("state", code=1)
    assert "continue de juger" in active.rules("state", code=1, language="fr")


def test_from_a_later_day_on(active: Laboratory) -> None:
    active.version("2026.3", "2026.4")
    active.rules("activate", str(active.pack), "--by", "Dr A", "--why", "x", "--from", "2999-01-01")
    assert active.states() == {"2026.3": "active", "2026.4": "waiting"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["sign", "chemistry", "--step", "active", "--why", "x"], 2, "approved"),
        (["sign", "chemistry", "--step", "approved", "--role", "technician", "--why", "x"], 2, "technician"),
        (["sign", "nowhere", "--step", "read", "--why", "x"], 1, "nowhere"),
        (["sign", "chemistry", "--step", "read", "--why", " "], 2, "--why"),
        (["activate", "nowhere", "--why", "x"], 1, "nowhere"),
        (["activate", "chemistry", "--why", "x", "--from", "soon"], 2, "soon"),
        (["retire", "nothing", "--why", "x"], 1, "nothing"),
        (["roster", "add", "Dr A", "--from", "2026-12-01", "--until", "2026-11-01", "--why", "x"], 1, ""),
        (["roster", "end", "9", "--why", "x"], 1, "9"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(laboratory: Laboratory, arguments: list[str], code: int, told: str) -> None:
    for language in ("en", "fr"):
        assert told in laboratory.rules(*arguments, code=code, language=language)


def test_the_roster_is_listed(laboratory: Laboratory) -> None:
    assert "Nobody" in laboratory.rules("roster", "list", code=1)
    laboratory.rules("roster", "add", "Dr Now", "--from", "2020-01-01", "--until", "2999-01-01", "--why", "always")
    laboratory.rules("roster", "add", "Dr Later", "--from", "2998-01-01", "--until", "2999-01-01", "--why", "later")
    assert "Dr Now" in laboratory.rules("roster", "list", language="fr")
    assert [row["who"] for row in json.loads(laboratory.rules("roster", "list", "--json"))] == ["Dr Now", "Dr Later"]
    laboratory.rules("roster", "end", "1", "--why", "ill")
    assert "Dr Later" in laboratory.rules("roster", "list", code=1)
