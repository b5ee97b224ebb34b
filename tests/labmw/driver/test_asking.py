"""A query is read as one tube, a list, a range, everything or a withdrawal, and is never widened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import Driver
from labmw.driver.asking import MOST, Asked, What, asked
from labmw.driver.ordering import OrderDialect
from labmw.line.registry import Registry
from protocols.astm.message import Message

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
REGISTRY = Registry.find()
PLAIN = Driver(name="plain", orders=OrderDialect())


def question(*queries: str, driver: Driver = PLAIN, head: str = "H|\\^&") -> Asked:
    (message,) = Message.parse("\r".join((head, *queries, "L|1|N", "")).encode("latin-1"))
    found = asked(message, driver)
    assert found is not None
    return found


def names(found: Asked) -> list[str]:
    return [one.identifier for one in found.tubes]


@pytest.mark.parametrize(
    ("query", "what", "tubes"),
    [
        ("Q|1|^26031500123||ALL||||||||O", What.TUBES, ["26031500123"]),
        ("Q|1|26031500123||||||||||", What.TUBES, ["26031500123"]),
        ("Q|1|PAT^T1\\PAT^T2\\^T1||ALL||||||||O", What.TUBES, ["T1", "T2"]),
        ("Q|1|^T1\\T2\\T3||ALL||||||||O", What.TUBES, ["T1", "T2", "T3"]),
        ("Q|1|ALL||||||||||O", What.ALL, []),
        ("Q|1|^ALL||||||||||O", What.ALL, []),
        ("Q|1|ALL||||||||||O\\N", What.ALL, []),
        ("Q|1|^T1||ALL||||||||A", What.ABORT, ["T1"]),
        ("Q|1|||ALL||||||||X", What.ABORT, []),
    ],
)
def test_what_a_query_asks_for(query: str, what: What, tubes: list[str]) -> None:
    found = question(query)
    assert (found.what, names(found)) == (what, tubes)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("Q|1|||ALL||||||||O", "query-without-tube"),
        ("Q|1|   ||ALL||||||||O", "query-without-tube"),
        ("Q|1|^||||||||||", "query-without-tube"),
        ("Q|1|^T1||ALL||||||||F", "query-for-results"),
        ("Q|1|^T1||ALL||||||||D", "query-for-results"),
        ("Q|1|^1\\^2|^3|ALL||||||||O", "query-mixed"),
        ("Q|1|^A1|^A9|ALL||||||||O", "query-range"),
        ("Q|1|^10|^9|ALL||||||||O", "query-range"),
        ("Q|1|^20|^10|ALL||||||||O", "query-range"),
    ],
)
def test_what_is_not_served_says_why_and_asks_for_nothing(query: str, why: str) -> None:
    found = question(query)
    assert (found.what, found.why, found.tubes) == (What.UNSERVED, why, ())


def test_a_range_has_two_ends_and_is_not_everything() -> None:
    found = question("Q|1|^1000|^1009|ALL||||||||O")
    assert (found.what, found.first, found.last) == (What.RANGE, "1000", "1009")


def test_a_query_for_some_tests_is_narrowed_to_them() -> None:
    assert question("Q|1|^T1||^^^GLU\\^^^TSH||||||||O").tests == {"GLU", "TSH"}
    assert question("Q|1|^T1||ALL||||||||O").tests == frozenset()
    assert question("Q|1|^T1||^^^ALL||||||||O").tests == frozenset()


def test_several_queries_of_one_message_ask_for_the_tubes_of_all() -> None:
    assert names(question("Q|1|^T1||ALL||||||||O", "Q|2|^T2||ALL||||||||O")) == ["T1", "T2"]
    assert question("Q|1|^T1||ALL||||||||O", "Q|2|ALL||||||||||O").what is What.UNSERVED
    assert question("Q|1|^T1||ALL||||||||A", "Q|2|^T2||ALL||||||||A").what is What.ABORT


def test_more_tubes_than_any_analyzer_holds_are_not_served() -> None:
    many = "\\".join(f"^{number}" for number in range(MOST + 1))
    assert question(f"Q|1|{many}||ALL||||||||O").why == "query-too-long"


def test_the_place_and_the_writing_of_a_tube_are_kept_for_the_answer() -> None:
    driver = REGISTRY.named("roche-cobas-c311")
    found = question("Q|1|^^LAB0000044            ^44^50013^1^^S1^SC||ALL||||||||O", driver=driver)
    (tube,) = found.tubes
    assert tube.identifier == "LAB0000044"
    assert tube.written == "LAB0000044            "
    assert tube.parts[3:6] == ("44", "50013", "1")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus")
@pytest.mark.parametrize(
    ("capture", "driver", "tubes"),
    [
        ("vitros-3600/2020-11-21-13-10-55-150376-query.astm", "ortho-vitros-3600", ["1068687"]),
        ("erba-xl/multisamplequery.astm", "erba-xl", ["1007149", "1007152", "1007151", "1007150", "1007148"]),
    ],
)
def test_the_queries_of_the_corpus(capture: str, driver: str, tubes: list[str]) -> None:
    data = (CORPUS / "astm" / capture).read_bytes()
    records = [line[line.rfind(b"\x02") + 2 :] if b"\x02" in line else line for line in data.split(b"\r")]
    kept = [line for line in records if line[:1] in b"HQL" and line[1:2] == b"|"]
    (message,) = Message.parse(b"\r".join(kept) + b"\r")
    found = asked(message, REGISTRY.named(driver))
    assert found is not None
    assert (found.what, names(found)) == (What.TUBES, tubes)


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30), min_size=1, max_size=13))
def test_no_query_however_written_is_read_as_everything_unless_it_says_so(fields: list[str]) -> None:
    record = "Q|" + "|".join(fields).replace("\r", "")
    message = Message.parse(("H|\\^&\r" + record + "\rL|1|N\r").encode("latin-1"))[0]
    for driver in (PLAIN, *REGISTRY.drivers.values()):
        if driver.protocol == "astm":
            found = asked(message, driver)
            if found is not None and found.what is What.ALL:
                assert "ALL" in record.split("|")[2]


def test_a_message_without_query_asks_nothing() -> None:
    (message,) = Message.parse(b"H|\\^&\rP|1\rL|1|N\r")
    assert asked(message, PLAIN) is None
