"""The value of a diluted specimen is used only where the family is known to put the factor into it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.driver import Driver, astm
from labmw.driver.declaration import Evidence, Test, TestId
from labmw.driver.diluted import dilution_of
from labmw.line.registry import Registry
from labmw.model import Flag
from labmw.phrases import say
from protocols.astm.message import Message
from protocols.hl7.er7 import Message as Hl7Message

PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()


def split(components: tuple[str, ...]) -> TestId:
    return TestId(components[3], dilution=components[4] if len(components) > 4 else "")


PLAIN = Driver(
    name="plain",
    evidence=Evidence.MANUAL,
    split=split,
    undiluted=frozenset({"", "1"}),
    tests={"K": Test("2823-3", "mmol/L")},
)


def read(driver: Driver, test: str, value: str = "4.1", unit: str = "mmol/L") -> Any:
    records = f"H|\\^&|||X\rP|1\rO|1|T1||{test}|R\rR|1|{test}|{value}|{unit}||N||F||||20260310091122\rL|1|N\r"
    (message,) = Message.parse(records.encode(), "latin-1")
    (result,) = astm.read(message, driver, zone=PARIS).results
    return result


@pytest.mark.parametrize(
    ("diluted", "sent", "problem", "marked"),
    [
        ("", "^^^K", "", False),
        ("", "^^^K^1", "", False),
        ("", "^^^K^10", "diluted-unknown", True),
        ("raw", "^^^K^10", "diluted-raw", True),
        ("raw", "^^^K^1", "", False),
        ("applied", "^^^K^10", "", True),
    ],
)
def test_what_the_driver_says_of_diluted_values_decides(diluted: Any, sent: str, problem: str, marked: bool) -> None:
    result = read(replace(PLAIN, diluted=diluted), sent)
    assert (result.problem, Flag.DILUTED in result.flags) == (problem, marked)
    assert result.number == "4.1"  # nothing is multiplied, whatever is said


@pytest.mark.parametrize(
    ("name", "undiluted", "diluted"),
    [
        ("roche-cobas-c311", ("^^^690/", "^^^690", "^^^690/1"), ("^^^690/5", "^^^690/10/")),
        ("roche-cobas-e411", ("^^^10//not", "^^^10/1/not", "^^^10"), ("^^^10/10/not", "^^^10//5")),
        ("ortho-vitros-3600", ("^^^1.0000+002+1.0",), ("^^^2.0000+002+1.0",)),
    ],
)
def test_families_that_write_the_factor_beside_the_code_never_pass_it_over(
    name: str, undiluted: tuple[str, ...], diluted: tuple[str, ...]
) -> None:
    driver = REGISTRY.named(name)
    driver = replace(driver, tests={**driver.tests, "10": Test("1-8", "umol/L"), "002": Test("1-8", "umol/L")})
    assert [read(driver, one, unit="umol/l").problem for one in undiluted] == [""] * len(undiluted)
    assert {read(driver, one, unit="umol/l").problem for one in diluted} == {"diluted-unknown"}


@pytest.mark.parametrize(
    ("fields", "factor"),
    [
        ("||||", ""),
        ("|^1^:^10|||", "^1^:^10"),
        ("|^1^:^1|||", ""),
        ("|||^1^:^5|", "^1^:^5"),
        ("||2||", "2"),
        ("|1|1||", ""),
        ("|1:1|||", ""),
        ("|1:10|||", "1:10"),
    ],
)
def test_the_treatment_of_a_specimen_tells_its_factor(fields: str, factor: str) -> None:
    raw = f"MSH|^~\\&|A|B|C|D|20260310||OUL^R22^OUL_R22|1|P|2.5.1\rTCD|3016-3^TSH^LN{fields}\r"
    (_, treatment) = Hl7Message.parse(raw.encode()).segments
    assert dilution_of(treatment) == factor


def test_a_person_reads_why_in_both_languages() -> None:
    records = "H|\\^&|||c311^1|||||host|RSUPL^REAL|P|1\rP|1\rO|1|T1|0^1^1^^S1^SC|^^^690/|R||||||N||||1|||||||20260310091122|||F\r"
    records += "R|1|^^^690/5|81|umol/l||N||F|||||P1\rC|1|I|0|I\rL|1|N\r"
    (message,) = to_json(Decoder(REGISTRY, None, PARIS).read("it", records.encode()))["messages"]
    (result,) = message["results"]
    assert (message["driver"], result["disposition"], result["reason"]) == (
        "roche-cobas-c311",
        "quarantined",
        "diluted-unknown",
    )
    facts = {"test": "690", "dilution": "5"}
    assert "diluted specimen (5)" in say("diluted-unknown", "en", **facts)
    assert "échantillon dilué (5)" in say("diluted-unknown", "fr", **facts)
