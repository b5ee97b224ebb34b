"""labmw result list and what a person decides, as it is typed: in both languages, by a role, with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from labmw.store import Transaction, schema, statements

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

SITE = "TEST"
ROLES = """
[lis]
connect = "127.0.0.1:1"
[roles.biologist]
may = ["technical", "biological", "reject", "hold", "rerun", "comment"]
people = ["Dr Alouette"]
[roles.technician]
may = ["technical", "comment"]
people = ["T. Pinson"]
"""


def held() -> Transaction[None]:
    """One result that the rules held."""
    [message] = yield statements.insert(
        schema.message, site=SITE, link="counter", direction=">", protocol="astm", received_at="2026-01-05T10:15:00.000000Z",
        raw=b"x", digest="d",
    )  # fmt: skip
    [result] = yield statements.insert(
        schema.result, site=SITE, key="k", identity="i", message=message.id, link="counter", specimen="S0001", patient="P000001",
        code="HGB", loinc="718-7", test_name="Haemoglobin", value="5.1", unit_raw="g/dL", received_at="2026-01-05T10:15:00.000000Z",
        state="held",
    )  # fmt: skip
    reasons = [
        {
            "code": "below-limit",
            "level": "hold",
            "rule": "x/LIM",
            "facts": {"value": "5.1 g/dL", "sign": "<", "limit": "7"},
        }
    ]
    yield statements.insert(
        schema.verdict, site=SITE, result=result.id, level=3, reasons=json.dumps(reasons), decided_at="2026-01-05T10:15:01.000000Z",
        decided_by="rules",
    )  # fmt: skip


@pytest.fixture
def ready(house: House) -> Iterator[House]:
    house.config.write_text(house.config.read_text() + ROLES)
    house.prepare(held())
    yield house


def test_the_worklist_says_what_waits_and_why_in_both_languages(ready: House) -> None:
    english, french = ready.labmw("result", "list", "--held"), ready.labmw("result", "list", "--held", "-l", "fr")
    assert english.returncode == french.returncode == 1  # something waits
    assert "a biologist" in english.stdout and "Below the release limit: 5.1 g/dL < 7" in " ".join(
        english.stdout.split()
    )
    assert "un biologiste" in french.stdout and "Au-dessous de la limite" in french.stdout
    told = json.loads(ready.labmw("result", "list", "--json").stdout)
    assert [one["specimen"] for one in told["results"]] == ["S0001"] and told["results"][0]["reasons"] == [
        "below-limit"
    ]


def test_a_decision_needs_a_role_and_a_reason(ready: House) -> None:
    by = ("--by", "T. Pinson", "--reason", "seen")
    assert ready.labmw("result", "release", "S0001", "HGB").returncode == 2  # no reason
    assert ready.labmw("result", "release", "S0001", "HGB", "--by", "Dr Alouette", "--reason", " ").returncode == 2
    refused = ready.labmw("result", "reject", "S0001", "HGB", *by)
    assert refused.returncode == 1 and "biologist" in refused.stderr
    french = ready.labmw("result", "reject", "S0001", "HGB", *by, "-l", "fr")
    assert "refuser un résultat" in french.stderr
    assert ready.count("SELECT count(*) FROM audit") == 0


def test_technically_then_biologically_validated(ready: House) -> None:
    done = ready.labmw("result", "release", "S0001", "--by", "T. Pinson", "--reason", "controls in order")
    assert done.returncode == 0 and "waits for a biologist" in done.stdout
    waiting = ready.labmw("result", "list", "--technical")
    assert "technically validated" in waiting.stdout
    done = ready.labmw(
        "result", "release", "S0001", "HGB", "--by", "Dr Alouette", "--reason", "known anaemia", "-l", "fr"
    )
    assert done.returncode == 0 and "validé par Dr Alouette" in done.stdout
    assert ready.count("SELECT count(*) FROM outbox WHERE state = 'waiting'") == 1
    assert ready.labmw("result", "list").returncode == 0
    story = json.loads(ready.labmw("result", "show", "S0001", "--json").stdout)
    assert story["messages"][0]["results"][0]["verdict"]["sentence"] == "Validated by Dr Alouette."


def test_without_roles_the_sentence_says_what_to_write(house: House) -> None:
    house.prepare(held())
    refused = house.labmw("result", "release", "S0001", "--by", "Dr Alouette", "--reason", "seen")
    assert refused.returncode == 1 and "[roles]" in refused.stderr


def test_a_role_that_may_something_unknown_is_refused_with_its_key(house: House) -> None:
    house.config.write_text(
        house.config.read_text() + '[roles.chief]\nmay = ["everything"]\npeople = ["Dr Alouette"]\n'
    )
    refused = house.labmw("result", "list")
    assert refused.returncode == 2 and "roles" in refused.stderr and "everything" in refused.stderr
