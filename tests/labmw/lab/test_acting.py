"""What rules ask for is done once, never in a circle, and nothing is added to a prescription without a signed protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from judging import START, Bench, bench
from packs import CA, MG, K, calcium, low, potassium, two

from labmw.clock import stamp
from labmw.delivery.lis import LisReport
from labmw.driver.declaration import Test
from labmw.driver.order_writing import write_orders
from labmw.lab.host_query import occasion_of, work_of
from labmw.lab.law_orders import LawLink, Tube, write_steps
from labmw.lab.planning import offered
from labmw.lab.practice import Practice
from labmw.lab.work_link import AstmLink
from labmw.line.registry import Registry
from labmw.phrases import say
from labmw.store import schema, statements
from labmw.store.statements import worklist
from labmw.store.transaction import Transaction, ask
from protocols.hl7.datatypes import Code
from protocols.hl7.profile import GENERIC, PERSONALITIES, LawProfile

RERUN = 'action = ["rerun"]'
ADD = f'action = ["add-on:{MG}"]\nprotocol = "P-1"'


def law(push: bool = True) -> LawLink:
    return LawLink("law", {K: Code("K", "Potassium", "L"), MG: Code("MG", "Magnesium", "L")}, push=push)


def actions(desk: Bench) -> list[tuple[object, ...]]:
    return desk.ask("SELECT kind, target, state FROM action ORDER BY id")


async def test_a_rerun_is_asked_for_once_whoever_asks_again(tmp_path: Path) -> None:
    packs = two(tmp_path / "two", low(RERUN), low(RERUN, "AGAIN"))
    async with bench(tmp_path, packs=packs, loincs=(K, CA)) as one:
        await one.judged(potassium("3.2"))
        assert actions(one) == [("rerun", K, "done")]
        assert one.ask("SELECT kind, state FROM task") == [("rerun-by-hand", "open")]
        await one.judged(potassium("3.3", minutes=5))  # the run that was asked for is low too: no third one by itself
        assert actions(one) == [("rerun", K, "done")] and one.ask("SELECT count(*) FROM task") == [(1,)]


async def test_what_was_measured_again_by_a_person_is_not_measured_a_third_time(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(RERUN)), loincs=(K, CA)) as one:
        await one.judged(potassium("4.2"))
        await one.judged(potassium("3.3", minutes=5))
        assert actions(one) == [("rerun", K, "refused")]
        assert one.ask("SELECT json_extract(facts, '$.why') FROM action") == [("measured-again-already",)]


def planned(desk: Bench, link: str = "law") -> Transaction[None]:
    """The first result answers an AWOS of the LAW analyzer."""
    rows = yield from ask(statements.orders_among("TEST", ["S1"]))
    order = next(row.id for row in rows if row.loinc == K)
    made = yield statements.insert(
        schema.awos, site="TEST", awos="A1", link=link, specimen="S1", patient="P-S1", loinc=K, code="K", order=order, state="resulted",
        created_at="t", updated_at="t",
    )  # fmt: skip
    result, message = desk.ask("SELECT id, message FROM result")[0]
    yield statements.insert(schema.awos_result, site="TEST", awos=made[0].id, result=result, message=message)


async def test_a_rerun_reaches_a_law_analyzer_as_an_order(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(RERUN)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"law": law()})
        woken: list[int] = []
        one.verification.wake_orders = lambda: woken.append(1)
        await one.bring(potassium("3.2"))
        await one.run(planned(one))
        await one.settle()
        assert one.ask("SELECT link, loinc, state, wanted FROM awos WHERE awos <> 'A1'") == [
            ("law", K, "planned", "NW")
        ]
        assert woken == [1] and one.ask("SELECT count(*) FROM task") == [(0,)]


@pytest.mark.parametrize(("signed", "state"), [(("P-1",), "done"), ((), "proposed")])
async def test_a_test_is_added_under_a_signed_protocol_and_else_proposed(
    tmp_path: Path, signed: tuple[str, ...], state: str
) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(ADD), protocols=signed), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"law": law()}, lis="LIS")
        await one.judged(potassium("3.2"))
        assert actions(one) == [("add-on", MG, state)]
        orders = one.ask('SELECT placer, state FROM "order" WHERE loinc = ?', MG)
        assert orders == ([("", "open")] if state == "done" else [])
        tasks = one.ask("SELECT kind, subject FROM task")
        assert tasks == ([] if state == "done" else [("propose-add-on", f"S1/{MG}")])
        assert one.ask("SELECT protocol FROM added_test") == ([("P-1",)] if state == "done" else [])


async def test_the_lis_is_told_of_an_added_test(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(ADD), protocols=("P-1",)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(lis="LIS")
        await one.judged(potassium("3.2"))
        report = LisReport("TEST", "LABMW", "LIS", "", ZoneInfo("Europe/Paris"), "automatic")
        [(entry,)] = one.ask("SELECT outbox FROM added_test")

        def composed() -> Transaction[bytes]:
            rows = yield from ask(
                statements.outbox_by_control_id("TEST", str(one.ask("SELECT control_id FROM outbox")[0][0]))
            )
            return (yield from report.compose(rows[0]))

        told = (await one.run(composed())).decode()
        assert entry and f"{MG}^" in told and "|I\r" in told and "P-1" in told
        assert [line.split("|")[25] for line in told.split("\r") if line.startswith("OBR")] == ["I"]


async def test_reflex_and_add_on_of_one_test_are_one(tmp_path: Path) -> None:
    packs = two(tmp_path / "two", low(ADD), low(ADD.replace("add-on", "reflex"), "AGAIN"), protocols=("P-1",))
    async with bench(tmp_path, packs=packs, loincs=(K, CA)) as one:
        one.verification.practice = Practice(lis="LIS")
        await one.judged(potassium("3.2"))
        assert actions(one) == [("add-on", MG, "done")] and one.ask("SELECT count(*) FROM added_test") == [(1,)]


@pytest.mark.parametrize("how", ["ordered", "measured"])
async def test_what_was_ordered_or_measured_is_not_added(tmp_path: Path, how: str) -> None:
    packs = two(tmp_path / "two", low(f'action = ["reflex:{CA}"]\nprotocol = "P-1"'), protocols=("P-1",))
    async with bench(tmp_path, packs=packs, loincs=(K, CA)) as one:
        if how == "measured":
            await one.judged(calcium("2.3"))
            one.write('DELETE FROM "order" WHERE loinc = ?', CA)
        await one.judged(potassium("3.2", minutes=3))
        assert ("reflex", CA, "refused") in actions(one)
        assert one.ask("SELECT count(*) FROM \"order\" WHERE placer = ''") == [(0,)]


async def test_a_test_that_a_rule_added_adds_no_other_by_itself(tmp_path: Path) -> None:
    packs = two(tmp_path / "two", low(f'action = ["reflex:{MG}"]\nprotocol = "P-1"'), protocols=("P-1",))
    async with bench(tmp_path, packs=packs, loincs=(K,)) as one:
        one.write(
            "INSERT INTO action (site, specimen, patient, kind, target, result, state, at) SELECT 'TEST', 'S1', 'P-S1', 'add-on', ?, 1, 'done', 't' WHERE 0",
            K,
        )
        await one.bring(potassium("3.2"))
        one.write(
            "INSERT INTO action (site, specimen, patient, kind, target, result, state, at) SELECT site, specimen, patient, 'add-on', loinc, id, 'done', 't' FROM result"
        )
        await one.settle()
        assert actions(one)[-1] == ("reflex", MG, "proposed")
        assert one.ask('SELECT count(*) FROM "order" WHERE loinc = ?', MG) == [(0,)]


DILUTE = 'action = ["dilute:10"]'


async def test_a_dilution_reaches_a_law_analyzer_as_an_order(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(DILUTE)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"law": law()})
        await one.bring(potassium("3.2"))
        await one.run(planned(one))
        await one.settle()
        told = one.ask("SELECT link, loinc, state, wanted, dilution FROM awos WHERE awos <> 'A1'")
        assert told == [("law", K, "planned", "NW", "10")]
        assert one.ask("SELECT count(*) FROM task") == [(0,)] and actions(one) == [("dilute", K, "done")]
        rows = await one.run(ask(worklist.awos_wanted("TEST", "law", most=9)))
        (step,) = write_steps(law(), Tube("S1"), rows, control="NW", to=None, at=START).raw.decode().split("\rTCD|")[1:]
        assert step.split("\r")[0] == "K^Potassium^L|^1^:^10"


@pytest.mark.parametrize("profile", [one for one in PERSONALITIES.values() if one is not GENERIC])
async def test_a_family_that_no_document_shows_diluting_is_not_told(tmp_path: Path, profile: LawProfile) -> None:
    """And the task says why; without this a dilution would be ordered of an analyzer that may overlook it."""
    async with bench(tmp_path, packs=two(tmp_path / "two", low(DILUTE)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"law": replace(law(), profile=profile)})
        await one.bring(potassium("3.2"))
        await one.run(planned(one))
        await one.settle()
        [(kind, facts)] = one.ask("SELECT kind, facts FROM task")
        assert (kind, json.loads(str(facts))["why"]) == ("dilute-by-hand", "no-dilution")
        assert one.ask("SELECT count(*) FROM awos") == [(1,)]
        said = say("task-dilute-by-hand", "fr", **json.loads(str(facts)))
        assert "dilué au 1/10" in said and "ne dit comment" in said and "…" not in said


async def test_an_astm_analyzer_that_asks_gets_the_dilution_when_the_tube_comes_again(tmp_path: Path) -> None:
    driver = Registry.find().named("roche-cobas-e411")
    mine = AstmLink("e411", replace(driver, tests={"10": Test(K, "mmol/L")}), ZoneInfo("UTC"))
    async with bench(tmp_path, packs=two(tmp_path / "two", low(DILUTE)), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"e411": mine})
        await one.bring(potassium("3.2"))
        await one.run(planned(one, "e411"))
        await one.settle()
        assert one.ask("SELECT specimen, link, reason FROM re_present") == [("S1", "e411", "tube-again")]
        order = (await one.run(ask(statements.orders_among("TEST", ["S1"]))))[:1]
        offer = await one.run(offered("TEST", mine, Tube("S1"), order, stamp(START), queried=True))
        assert [(row.code, row.dilution) for row in offer.rows] == [("10", "10")]
        work = work_of(mine, Tube("S1"), [(row.code, "R", None, row.dilution) for row in offer.rows])
        sent = write_orders(mine.driver, occasion_of(mine, None, START, "1"), [work], asked=True).raw.decode()
        assert "|^^^10^10|R|" in sent


async def test_a_dilution_that_the_family_does_not_have_is_for_a_person(tmp_path: Path) -> None:
    driver = Registry.find().named("roche-cobas-e411")
    mine = AstmLink("e411", replace(driver, tests={"10": Test(K, "mmol/L")}), ZoneInfo("UTC"))
    packs = two(tmp_path / "two", low('action = ["dilute:7"]'))
    async with bench(tmp_path, packs=packs, loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"e411": mine})
        await one.bring(potassium("3.2"))
        await one.run(planned(one, "e411"))
        await one.settle()
        [(kind, facts)] = one.ask("SELECT kind, facts FROM task")
        assert (kind, json.loads(str(facts))["why"]) == ("dilute-by-hand", "no-dilution")


@pytest.mark.parametrize(("asked", "kind"), [("dilute:10", "dilute-by-hand"), ("route:elsewhere", "route-by-hand")])
async def test_what_no_analyzer_can_be_told_a_person_is(tmp_path: Path, asked: str, kind: str) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low(f'action = ["{asked}"]')), loincs=(K, CA)) as one:
        await one.judged(potassium("3.2"))
        [(found, facts)] = one.ask("SELECT kind, facts FROM task")
        assert found == kind and json.loads(str(facts))["asked"] == asked.partition(":")[2]


async def test_a_test_is_routed_to_a_law_analyzer(tmp_path: Path) -> None:
    async with bench(tmp_path, packs=two(tmp_path / "two", low('action = ["route:law"]')), loincs=(K, CA)) as one:
        one.verification.practice = Practice(analyzers={"law": law()})
        await one.judged(potassium("3.2"))
        assert one.ask("SELECT link, loinc, wanted FROM awos") == [("law", K, "NW")]


async def test_without_the_key_the_same_would_be_asked_twice(tmp_path: Path) -> None:
    """The variant that breaks the first test."""
    packs = two(tmp_path / "two", low(RERUN), low(RERUN, "AGAIN"))
    async with bench(tmp_path, packs=packs, loincs=(K, CA)) as one:
        one.write("DROP TABLE task")
        one.write(
            "CREATE TABLE task (id INTEGER PRIMARY KEY, site TEXT, kind TEXT, subject TEXT, specimen TEXT, facts TEXT, raised_at TEXT, state TEXT, "
            "closed_at TEXT, closed_by TEXT, note TEXT, UNIQUE (site, kind, subject))"
        )
        one.write("DROP TABLE action")
        one.write(
            "CREATE TABLE action (id INTEGER PRIMARY KEY, site TEXT, specimen TEXT, patient TEXT, kind TEXT, target TEXT, result INTEGER, rule TEXT, "
            "pack TEXT, facts TEXT, state TEXT, at TEXT)"
        )
        await one.judged(potassium("3.2"))
        assert actions(one) == [("rerun", K, "done")] * 2
