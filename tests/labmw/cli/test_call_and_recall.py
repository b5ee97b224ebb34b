"""labmw call, result recall and rules stop, as they are typed, in both languages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labmw.store import Transaction, schema, statements

if TYPE_CHECKING:
    from tests.labmw.cli.conftest import House

SITE, AT = "TEST", "2026-01-05T10:15:00.000000Z"
ROLES = """
[roles.biologist]
may = ["call", "recall", "stop", "resume"]
people = ["Dr Alouette", "Dr Bergeronnette"]
"""


def delivered() -> Transaction[None]:
    """A critical potassium that has left, is to be called, and is in doubt since."""
    [message] = yield statements.insert(
        schema.message, site=SITE, link="counter", direction=">", protocol="astm", received_at=AT, raw=b"x", digest="d"
    )
    [result] = yield statements.insert(
        schema.result, site=SITE, key="k", identity="i", message=message.id, link="counter", specimen="S0001", patient="P000001",
        code="K", loinc="2823-3", test_name="Potassium", value="6,8", number="6.8", unit="mmol/L", unit_raw="mmol/L", received_at=AT,
        state="delivered",
    )  # fmt: skip
    yield statements.insert(
        schema.prescriber_call, site=SITE, result=result.id, patient="P000001", loinc="2823-3", direction="high", number="6.8",
        unit="mmol/L", raised_at=AT, state="open",
    )  # fmt: skip
    facts = {"code": "haemolysis", "value": "6.8 mmol/L", "rule": "chemistry/HIL"}
    yield statements.insert(
        schema.recall, site=SITE, result=result.id, cause="late-sibling", facts=json.dumps(facts), raised_at=AT
    )


@pytest.fixture
def ready(house: House) -> House:
    house.config.write_text(house.config.read_text() + ROLES)
    house.prepare(delivered())
    return house


def test_a_call_is_listed_and_documented(ready: House) -> None:
    listed = ready.labmw("call", "list", "-l", "fr")
    assert listed.returncode == 1 and "Potassium 6,8 mmol/L : critique haut, à appeler" in listed.stdout
    [call] = json.loads(ready.labmw("call", "list", "--json").stdout)["calls"]
    given = ("call", "document", str(call["number"]), "--told", "Dr Mésange", "--by", "Dr Alouette")
    wrong = ready.labmw(*given, "--read-back", "8,6")
    assert wrong.returncode == 1 and "8,6 is not 6,8 mmol/L" in wrong.stderr
    assert ready.labmw(*given, "--read-back", "6,8", "--at", "yesterday").returncode == 2
    nobody = ready.labmw(*given[:-1], "T. Pinson", "--read-back", "6,8")
    assert nobody.returncode == 1 and "biologist" in nobody.stderr
    done = ready.labmw(*given, "--read-back", "6,8")
    assert done.returncode == 0 and "Dr Mésange was told by Dr Alouette" in done.stdout
    assert ready.labmw("call", "list").returncode == 0


def test_the_recall_list_says_why_and_is_closed_with_a_reason(ready: House) -> None:
    listed = ready.labmw("result", "recall", "list", "-l", "fr")
    assert listed.returncode == 1 and "Un autre résultat du tube est arrivé depuis." in listed.stdout
    by = ("--by", "Dr Alouette")
    assert ready.labmw("result", "recall", "close", "1", "--why", " ", *by).returncode == 2
    assert ready.labmw("result", "recall", "close", "7", "--why", "seen", *by).returncode == 1
    assert ready.labmw("result", "recall", "close", "1", "--why", "prescriber told", *by).returncode == 0
    assert ready.labmw("result", "recall", "list").returncode == 0
    story = json.loads(ready.labmw("result", "show", "S0001", "--json").stdout)
    [recall] = story["messages"][0]["results"][0]["recalls"]
    assert (recall["state"], recall["closed_by"], recall["note"]) == ("closed", "Dr Alouette", "prescriber told")


def test_a_stop_says_exactly_what_and_two_let_it_go_on(ready: House) -> None:
    reason = ("--reason", "wrong diluent")
    for wrong in ((), ("--analyzer", "nobody"), ("--analyte", "1-1"), ("--rule", "LIMIT"), ("--site", "--rule", "a/B")):
        assert ready.labmw("rules", "stop", *wrong, *reason, "--by", "Dr Alouette").returncode == 2
    assert ready.labmw("rules", "stop", "--analyzer", "counter", *reason, "--by", "Dr Alouette").returncode == 0
    listed = ready.labmw("rules", "stops", "-l", "fr")
    assert listed.returncode == 1 and "arrêtée pour l'analyseur counter" in listed.stdout
    assert ready.labmw("rules", "resume", "--analyzer", "counter", *reason, "--by", "Dr Alouette").returncode == 0
    again = ready.labmw("rules", "resume", "--analyzer", "counter", *reason, "--by", "Dr Alouette", "-l", "fr")
    assert again.returncode == 1 and "deuxième personne" in again.stderr
    assert ready.labmw("rules", "resume", "--analyzer", "counter", *reason, "--by", "Dr Bergeronnette").returncode == 0
    assert ready.labmw("rules", "stops").returncode == 0
