"""An ASTM analyzer asks over a real line and is answered from the worklist; "sent" is what it has acknowledged whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from askside import CREA, LINK, analyzer, change_orders, long_ago, order, queries, running, set_up, states
from lawside import blobs
from lisside import labmw
from stage import ALT, Stage, eventually, free_port

from simulators.asking import AskingManners
from simulators.wire import PtyPort, TcpListen


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return set_up(tmp_path)


def orders(answer: object) -> list[str]:
    """The O records of an answer."""
    return [record.raw for record in answer.records if record.type == "O"]  # type: ignore[attr-defined]


# Scenario 9.17.
async def test_a_query_is_answered_with_the_work_of_its_tube_in_the_analyzers_own_codes(stage: Stage) -> None:
    order(stage, "S1", (ALT, CREA))
    order(stage, "S2")
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("S1")
        assert answer is not None
        assert answer.structure == "HPOL" and answer.terminator == "F"
        (record,) = [one for one in answer.records if one.type == "O"]
        assert (record.field(3), record.field(5), record.field(12), record.field(26)) == (
            "S1",
            "^^^ALT\\^^^CREA",
            "N",
            "Q",
        )
        assert answer.records[1].field(4) == "P-S1"
        assert answer.records[0].field(10) == "CHEM-X1"
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
        await eventually(lambda: queries(stage) == [("answered", "work")])
    assert sim.held == {"S1": ["ALT", "CREA"]}
    kept = stage.ask("SELECT direction, kind FROM message ORDER BY id")
    assert kept == [(">", "query"), ("<", "order-response")]


async def test_results_end_the_work_and_a_tube_asked_for_again_has_none(stage: Stage) -> None:
    order(stage, "S1", (ALT, CREA))
    async with running(stage), analyzer(stage) as sim:
        await sim.ask("S1")
        assert await sim.report("S1", "ALT", "22", unit="U/L")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "resulted", "CREA@analyzer": "accepted"})
        again = await sim.ask("S1")  # it does not have what has no result, or it would not ask
        assert again is not None and [line.split("|")[4] for line in orders(again)] == ["^^^CREA"]
        assert await sim.report("S1", "CREA", "80", unit="umol/L")
        await eventually(lambda: states(stage)["CREA@analyzer"] == "resulted")
        nothing = await sim.ask("S1")
        assert nothing is not None and (nothing.structure, nothing.terminator) == ("HL", "I")
    assert len(stage.ask("SELECT id FROM awos")) == 2
    assert stage.ask('SELECT DISTINCT state FROM "order"') == [("done",)]
    assert len(stage.ask("SELECT id FROM awos_result")) == 2


# Scenario 9.17.
async def test_no_work_is_said_only_while_orders_are_fresh(stage: Stage) -> None:
    order(stage, "S1", at=long_ago())
    async with running(stage), analyzer(stage) as sim:
        stale = await sim.ask("S9")
        assert stale is not None and (stale.structure, stale.terminator) == ("HL", "Q")
        assert stage.ask("SELECT specimen, reason, closed_at FROM re_present") == [("S9", "order-feed-stale", None)]
        known = await sim.ask("S1")  # what is known is given all the same
        assert known is not None and known.structure == "HPOL"
        order(stage, "S9")
        late = await sim.ask("S9")
        assert late is not None and late.structure == "HPOL"
        await eventually(lambda: stage.ask("SELECT count(*) FROM re_present WHERE closed_at IS NULL") == [(0,)])
        none = await sim.ask("S8")
        assert none is not None and none.terminator == "I"


async def test_a_list_is_answered_in_one_message_and_a_range_by_its_numbers(stage: Stage) -> None:
    for tube in ("1001", "1003", "1007", "10030"):
        order(stage, tube)
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("", query="Q|1|^1001\\^1002\\^1003||ALL||||||||O")
        assert answer is not None
        assert [line.split("|")[2] for line in orders(answer)] == ["1001", "1003"]
        assert answer.structure == "HPOPOL"
        ranged = await sim.ask("", query="Q|1|^1002|^1007|ALL||||||||O")
        assert ranged is not None
        assert sorted(line.split("|")[2] for line in orders(ranged)) == ["1003", "1007"]


async def test_all_brings_every_tube_that_the_analyzer_has_not_got(stage: Stage) -> None:
    for tube in ("S1", "S2", "S3"):
        order(stage, tube)
    async with running(stage), analyzer(stage) as sim:
        assert await sim.ask("", query="Q|1|ALL||||||||||O") is not None
        assert sorted(sim.held) == ["S1", "S2", "S3"]
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
        nothing = await sim.ask("", query="Q|1|ALL||||||||||O")
        assert nothing is not None and nothing.terminator == "I"


@pytest.mark.parametrize("query", ["Q|1|||ALL||||||||O", "Q|1|^S1||ALL||||||||F", "Q|1|^B|^A|ALL||||||||O"])
async def test_a_query_that_cannot_be_served_is_answered_so_and_brings_nothing(stage: Stage, query: str) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("", query=query)
        assert answer is not None and (answer.structure, answer.terminator) == ("HL", "Q")
        await eventually(lambda: queries(stage) == [("answered", "unable")])
    assert stage.ask("SELECT count(*) FROM awos") == [(0,)]


async def test_a_query_for_one_test_brings_that_test(stage: Stage) -> None:
    order(stage, "S1", (ALT, CREA))
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("", query="Q|1|^S1||^^^CREA||||||||O")
        assert answer is not None and [line.split("|")[4] for line in orders(answer)] == ["^^^CREA"]


# Scenario 9.17.
async def test_a_query_that_was_taken_back_gets_no_answer(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=AskingManners(patience=0.5)) as sim:
        assert await sim.ask("", query="Q|1|^S1||ALL||||||||A") is None
        await eventually(lambda: queries(stage) == [("taken-back", "")])


# Scenario 9.8.
async def test_a_busy_analyzer_is_asked_again_after_the_ten_seconds_of_the_standard_or_not_at_all(
    tmp_path: Path,
) -> None:
    """One NAK to our ENQ means ten seconds; when the analyzer no longer waits by then, nothing is sent and its tube is listed."""
    stage = set_up(tmp_path, dialect="patience=1.0")
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=AskingManners(patience=3.0, busy=1)) as sim:
        assert await sim.ask("S1") is None
        await eventually(lambda: queries(stage) == [("failed", "work")])
        assert sim.held == {}
        assert stage.ask("SELECT specimen, reason FROM re_present WHERE closed_at IS NULL") == [("S1", "query-untaken")]
        assert states(stage) == {"ALT@analyzer": "planned"}
        await eventually(
            lambda: "orders-not-taken" in str(stage.ask("SELECT trouble FROM link_state WHERE link = 'analyzer'"))
        )


# Scenarios 9.3, 9.4.
async def test_one_refused_frame_is_sent_again_and_six_refusals_end_the_attempt(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage):
        async with analyzer(stage, manners=AskingManners(patience=60.0, refuse=1)) as sim:
            assert await sim.ask("S1") is not None
            await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
        order(stage, "S2")
        async with analyzer(stage, manners=AskingManners(patience=2.0, refuse=6)) as sim:
            assert await sim.ask("S2") is None
            await eventually(lambda: queries(stage)[-1] == ("failed", "work"))
            assert stage.ask("SELECT specimen FROM re_present WHERE closed_at IS NULL") == [("S2",)]
            assert stage.ask("SELECT state, reason FROM awos WHERE specimen = 'S2'") == [("broadcast", "query-untaken")]
    journal = b"".join(blobs(stage, "SELECT data FROM journal WHERE direction = '<' ORDER BY id"))
    assert journal.endswith(b"\r\n\x04")  # six times the frame, then the line is given back
    assert journal.count(b"2P|1||P-S2") == 0 and journal.count(b"\x021H|") >= 6


async def test_an_analyzer_that_hangs_up_in_the_answer_gets_it_when_it_asks_again(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=AskingManners(patience=2.0, hang_up_in_answer=1)) as sim:
        assert await sim.ask("S1") is None
        await eventually(lambda: queries(stage) == [("failed", "work")])
        assert states(stage) == {"ALT@analyzer": "broadcast"}  # a frame had left: what it has nobody knows
        answer = await sim.ask("S1")
        assert answer is not None and sim.held == {"S1": ["ALT"]}
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
    assert len(stage.ask("SELECT id FROM awos")) == 1


# Scenario 9.9.
async def test_when_both_bid_the_analyzer_goes_first_and_then_gets_its_orders(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "push"\nallow = ["127.0.0.1"]')
    async with running(stage), analyzer(stage) as sim:
        await sim.ask("S0")
        for number in range(8):  # orders come while it reports: the two bid for one line again and again
            order(stage, f"C{number}")
            assert await sim.report(f"X{number}", "ALT", "22", unit="U/L")
        await eventually(lambda: sorted(sim.held) == [f"C{number}" for number in range(8)])
        await eventually(lambda: set(states(stage).values()) == {"accepted"})
    assert all(codes == ["ALT"] for codes in sim.held.values())


# Scenario 9.18.
async def test_new_orders_are_pushed_taken_back_added_to_and_asked_for_once_more(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"\nwork = "push"')
    async with running(stage) as laboratory, analyzer(stage) as sim:
        order(stage, "S1")
        laboratory.worklist.signal.set()
        await eventually(lambda: stage.ask("SELECT state, wanted FROM awos") == [("planned", "NW")])
        assert sim.connections == 1 and sim.held == {}  # a stranger that has not spoken hears nothing
        await sim.ask("S0")
        await eventually(lambda: sim.held == {"S1": ["ALT"]})
        pushed = sim.messages[-1]
        assert (pushed.terminator, pushed.records[2].field(12), pushed.records[2].field(26)) == ("N", "N", "O")
        order(stage, "S1", (CREA,), patient="P-S1")
        laboratory.worklist.signal.set()
        await eventually(lambda: sim.held == {"S1": ["ALT", "CREA"]})
        assert sim.messages[-1].records[2].field(12) == "A"  # added to what it has
        change_orders(stage, "S1", "cancelled")
        laboratory.worklist.signal.set()
        await eventually(lambda: sim.held == {"S1": []})
        assert sim.messages[-1].records[2].field(12) == "C"
        await eventually(lambda: set(states(stage).values()) == {"cancelled"})


async def test_a_family_that_cannot_be_told_to_forget_is_told_nothing_and_a_person_is(tmp_path: Path) -> None:
    stage = set_up(tmp_path, dialect='cancel=""')
    order(stage, "S1")
    async with running(stage) as laboratory, analyzer(stage) as sim:
        await sim.ask("S1")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
        change_orders(stage, "S1", "cancelled")
        laboratory.worklist.signal.set()
        await eventually(lambda: states(stage) == {"ALT@analyzer": "unable"})
        assert len(sim.messages) == 1


async def test_an_order_that_cannot_be_written_is_left_to_a_person(tmp_path: Path) -> None:
    stage = set_up(tmp_path, dialect='materials={"UR": "2"}')
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        answer = await sim.ask("S1")
        assert answer is not None and answer.terminator == "Q"
        assert stage.ask("SELECT specimen, reason FROM re_present") == [("S1", "order-unwritable")]
    assert stage.ask("SELECT count(*) FROM awos") == [(0,)]


async def test_labmw_may_be_the_one_who_dials_and_the_line_may_be_serial(tmp_path: Path) -> None:
    port = free_port()
    folder = tmp_path / "dialled"
    folder.mkdir()
    stage = set_up(folder)
    text = stage.config.read_text().replace(
        f'listen = "127.0.0.1:{stage.analyzer_port}"', f'connect = "127.0.0.1:{port}"'
    )
    stage.config.write_text(text)
    stage.analyzer_port = 0
    order(stage, "S1")
    async with analyzer(stage, plug=TcpListen("127.0.0.1", port)) as sim, running(stage):
        assert await sim.ask("S1") is not None
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
    folder = tmp_path / "serial"
    folder.mkdir()
    pty = PtyPort()
    stage = set_up(folder)
    text = stage.config.read_text()
    text = text.replace(f'listen = "127.0.0.1:{stage.analyzer_port}"', f'serial = {{ device = "{pty.device}" }}')
    stage.config.write_text(text.replace("connections = 64\n", ""))
    stage.analyzer_port = 0
    order(stage, "S1")
    async with running(stage), analyzer(stage, plug=pty) as sim:
        answer = await sim.ask("S1")
        assert answer is not None and sim.held == {"S1": ["ALT"]}
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})


async def test_a_query_is_not_answered_on_a_link_that_is_given_no_work(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link='driver = "chem-x1"')
    order(stage, "S1")
    async with running(stage), analyzer(stage, manners=AskingManners(patience=0.5)) as sim:
        assert await sim.ask("S1") is None
    assert queries(stage) == []
    assert LINK.endswith('work = "asked"')


async def test_every_ordered_test_shows_its_stage_its_analyzer_rack_and_position(tmp_path: Path) -> None:
    stage = set_up(tmp_path, dialect="rack=3, position=4")
    order(stage, "S1", (ALT, CREA), at=long_ago())
    order(stage, "S2", at=long_ago())
    order(stage, "S3")

    def listed(*more: str) -> dict[tuple[str, str], tuple[str, str, str, str]]:
        shown = json.loads(labmw(stage, "order", "list", "--json", *more))["orders"]
        return {
            (one["specimen"], one["loinc"]): (one["stage"], one["analyzer"], one["rack"], one["position"])
            for one in shown
        }

    async with running(stage), analyzer(stage) as sim:
        assert set(listed("--pending").values()) == {("expected", "", "", "")}
        await sim.ask("", query="Q|1|^S1^R7^3||^^^ALT||||||||O")
        await eventually(lambda: states(stage) == {"ALT@analyzer": "accepted"})
        assert listed("--pending", "--late") == {
            ("S1", ALT): ("sent", "analyzer", "R7", "3"),
            ("S1", CREA): ("queried", "analyzer", "R7", "3"),
            ("S2", ALT): ("expected", "", "", ""),
        }
        assert await sim.report("S1", "ALT", "22", unit="U/L")
        await eventually(lambda: listed("--state", "done") == {("S1", ALT): ("released", "analyzer", "R7", "3")})
        assert ("S1", ALT) not in listed("--pending")
        for language, words in (("en", ("queried", "expected", "R7/3")), ("fr", ("interrogée", "attendue", "R7/3"))):
            text = labmw(stage, "order", "list", "--pending", "--late", language=language)
            assert all(word in text for word in words), text
