"""From a snapshot to sentences: what is in trouble is said, once, with what to do; what is not is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from labmw.clock import stamp
from labmw.config import Config, Link, Lis, Site
from labmw.phrases import Language, codes, facts_of
from labmw.store import Row
from labmw.store.transaction import row_type
from labmw.watch.finding import Finding, Weight
from labmw.watch.snapshot import Snapshot
from labmw.watch.spoken import duration, some
from labmw.watch.trouble import ALERTS_TOLD, Telling, troubles

NOW = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
CONFIG = Config(site=Site(id="T"), link=[Link(name="counter", listen="127.0.0.1:0")], lis=Lis(connect="127.0.0.1:1"))


def row(**columns: Any) -> Row:
    return row_type(tuple(columns))(tuple(columns.values()))


def ago(**time: float) -> str:
    return stamp(NOW - timedelta(**time))


def state(link: str = "counter", **changes: Any) -> Row:
    facts: dict[str, Any] = changes.pop("facts", {})
    columns: dict[str, Any] = {
        "link": link, "connected": 1, "peer": "192.0.2.1:4000", "heard_at": ago(seconds=5), "message_at": ago(seconds=5),
        "trouble": ",".join(facts), "facts": json.dumps(facts), "updated_at": ago(seconds=3),
    }  # fmt: skip
    return row(**{**columns, **changes})


def snapshot(**changes: Any) -> Snapshot:
    given: dict[str, Any] = {
        "served_by": 42, "links": (state(), state("LIS", heard_at=None)), "outbox": (), "work": (), "held": (), "quarantine": (), "tubes": {}, "alerts": (),
    }  # fmt: skip
    return Snapshot(**{**given, **changes})


def told(snapshot: Snapshot, language: Language = "en") -> list[Finding]:
    return [
        one
        for one in troubles(CONFIG, snapshot, Telling(language, NOW, ZoneInfo("Europe/Paris")))
        if one.weight is not Weight.GOOD
    ]


def test_nothing_to_say_when_all_is_well() -> None:
    assert told(snapshot()) == []


def test_a_daemon_that_is_down_is_said_first_and_its_lines_are_not_judged() -> None:
    (only,) = told(snapshot(served_by=None, links=(state(facts={"unreachable": {"why": "x"}}),)))
    assert only.code == "not-running" and "2026-01-15 08:59:57" in only.sentence("en")


def test_a_daemon_that_no_longer_writes() -> None:
    assert next(one.code for one in told(snapshot(links=(state(updated_at=ago(minutes=2)),)))) == "frozen"


@pytest.mark.parametrize("code", ["unreachable", "cannot-listen", "frames-refused", "store", "driver"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_a_line_notes_has_a_sentence(code: str, language: Language) -> None:
    facts = dict.fromkeys(facts_of(code) - {"link"}, "…")
    (finding,) = told(snapshot(links=(state(facts={code: facts}), state("LIS", heard_at=None))))
    assert finding.code == code and finding.sentence(language).startswith("counter")


@pytest.mark.parametrize("code", ["lis-unreachable", "lis-silent"])
def test_a_lis_in_trouble(code: str) -> None:
    lis = state("LIS", heard_at=None, facts={code: {"destination": "LIS", "why": "no answer"}})
    (finding,) = told(snapshot(links=(state(), lis)))
    assert finding.code == code and "no answer" in finding.sentence("fr")


def test_a_code_that_has_no_sentence_yet_is_still_shown() -> None:
    (finding,) = told(snapshot(links=(state(facts={"on-fire": {"where": "rack 2"}}), state("LIS", heard_at=None))))
    assert "on-fire" in finding.sentence("en") and "rack 2" in finding.sentence("en")


def test_silence() -> None:
    assert [one.code for one in told(snapshot(links=(state(heard_at=None), state("LIS"))))] == ["line-never-heard"]
    assert [one.code for one in told(snapshot(links=(state(heard_at=ago(hours=13)), state("LIS"))))] == ["line-silent"]
    assert [one.code for one in told(snapshot(links=(state("LIS"),)))] == ["line-unknown"]


@pytest.mark.parametrize(("heard", "code"), [(None, "feed-never-heard"), (ago(hours=13), "feed-silent")])
def test_a_silent_lis_is_no_analyzer(heard: str | None, code: str) -> None:
    config = msgspec.structs.replace(CONFIG, lis=Lis(connect="127.0.0.1:1", listen="127.0.0.1:2"))
    links = (state(), state("LIS"), state("LIS orders", heard_at=heard))
    found = troubles(config, snapshot(links=links), Telling("en", NOW, ZoneInfo("Europe/Paris")))
    assert [one.code for one in found if one.weight is not Weight.GOOD] == [code]


def outbox(state: str, **time: float) -> Row:
    return row(destination="LIS", state=state, count=3, oldest=ago(**time), attempts=2)


def test_delivery() -> None:
    assert told(snapshot(outbox=(outbox("waiting", seconds=20),))) == []
    (waits,) = told(snapshot(outbox=(outbox("waiting", minutes=5), outbox("claimed", minutes=2))))
    assert waits.code == "outbox-waits" and waits.facts["count"] == 6 and waits.facts["ago"] == "5 min"
    (dead,) = told(snapshot(outbox=(outbox("dead", days=2, hours=3),)))
    assert dead.weight is Weight.ERROR and "2 j 3 h" in Telling("fr", NOW, ZoneInfo("UTC")).ago(ago(days=2, hours=3))


def test_work_that_nobody_does() -> None:
    assert [one.code for one in told(snapshot(work=(row(kind="verify", count=2, oldest=ago(minutes=3)),)))] == [
        "work-stuck"
    ]


def alert(number: int) -> Row:
    facts = json.dumps({"test": "Potassium"})
    return row(
        specimen=f"S{number}",
        code="K",
        value="7.1",
        unit_raw="mmol/L",
        kind="critical",
        facts=facts,
        raised_at=ago(minutes=9),
    )


def test_critical_values_are_told_tube_by_tube_and_then_listed() -> None:
    found = told(snapshot(alerts=tuple(alert(number) for number in range(ALERTS_TOLD + 2))))
    assert [one.code for one in found] == ["alert-open"] * ALERTS_TOLD + ["alerts-more"]
    assert "S0" in found[0].sentence("en") and "Potassium 7.1 mmol/L" in found[0].sentence("en")
    assert found[-1].facts["count"] == 2


def test_quarantine_and_holds_are_grouped_and_explained() -> None:
    entries = tuple(
        row(
            reason="unknown-code",
            facts=json.dumps({"test": code, "driver": "xn"}),
            message=1,
            raised_at=ago(hours=1),
            specimen=f"S{code}",
            link="counter",
        )
        for code in "AB"
    )
    (finding,) = told(snapshot(quarantine=entries))
    sentence = finding.sentence("en")
    assert "In quarantine: 2" in sentence and "For example: The test code A" in sentence and "SA, SB" in sentence
    reasons = json.dumps([{"code": "critical", "facts": {"value": "7.1", "sign": ">", "limit": "6.2"}}])
    (held,) = told(
        snapshot(held=(row(id=1, specimen="S1", reasons=reasons), row(id=2, specimen="S2", reasons=reasons)))
    )
    assert "7.1 > 6.2" in held.sentence("fr") and "Par exemple" not in held.sentence("fr") and held.facts["count"] == 2


def test_a_message_in_quarantine_is_told_by_its_tubes() -> None:
    facts = '{"sender": "?"}'
    entry = row(reason="unknown-sender", facts=facts, raised_at=ago(hours=1), specimen=None, link="counter", message=7)
    (finding,) = told(snapshot(quarantine=(entry,)))
    assert "specimens: –" in finding.sentence("en")
    (finding,) = told(snapshot(quarantine=(entry,), tubes={7: ("S1", "S2")}))
    assert "specimens: S1, S2" in finding.sentence("en")


def test_critical_values_of_one_tube_are_one_sentence() -> None:
    (finding,) = told(snapshot(alerts=(alert(1), alert(1))))
    assert finding.facts["specimen"] == "S1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (7200, "2 h"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds), "en") == words


def test_lists_stay_short() -> None:
    assert some([]) == "–" and some(["a", "a", "b"]) == "a, b" and some("abcdefg") == "a, b, c, d, e …"


def test_every_sentence_of_the_catalogue_that_status_uses_is_there() -> None:
    assert {"not-running", "never-run", "frozen", "status-good", "status-bad", "store-unreadable"} <= codes()


@pytest.mark.parametrize("reason", ["order-feed-stale", "two-patients"])
def test_tubes_that_an_analyzer_asked_about_in_vain(reason: str) -> None:
    rows = tuple(row(specimen=f"S{n}", link="counter", reason=reason, asked_at=ago(hours=1)) for n in range(2))
    (finding,) = told(snapshot(to_present=rows))
    assert finding.code == "tubes-to-present" and "S0, S1" in finding.sentence("en")
    assert finding.sentence("fr").startswith("2 tubes")


def test_what_is_stopped_owed_and_in_doubt_is_said() -> None:
    stop = row(
        scope="analyzer", target="xn", stopped_by="Dr Alouette", stopped_at=ago(minutes=5), reason="wrong diluent"
    )
    call = row(specimen="S1", raised_at=ago(minutes=9))
    found = told(snapshot(stops=(stop,), calls=(call,), recalls=(row(specimen="S2", raised_at=ago(hours=1)),)))
    assert [(one.code, one.weight) for one in found] == [
        ("line-stopped", Weight.WARNING), ("calls-owed", Weight.ERROR), ("recalls-open", Weight.ERROR)
    ]  # fmt: skip
    assert "wrong diluent" in str(found[0])


def test_what_is_due_later_is_not_stuck() -> None:
    later = row(kind="again", count=1, oldest=ago(hours=-2))
    assert told(snapshot(work=(tuple(later),))) == []
    assert [one.code for one in told(snapshot(work=(("again", 1, ago(hours=2)),)))] == ["work-stuck"]


def sub_order(partner: str, due: str | None, role: str = "requester", state: str = "accepted") -> Row:
    return row(partner=partner, role=role, due_at=due, state=state, specimen=f"T-{partner}")


def test_late_sub_orders_are_called_out_by_partner_and_side() -> None:
    late = (
        sub_order("SPE", ago(hours=3)), sub_order("SPE", ago(hours=1)), sub_order("DEM", ago(hours=1), "subcontractor"),
        sub_order("SPE", stamp(NOW + timedelta(hours=1))), sub_order("CHU", None), sub_order("CHU", ago(hours=1), state="cancel-sent"),
    )  # fmt: skip
    found = told(snapshot(sub_orders=late))
    assert [(one.code, one.subject) for one in found] == [
        ("interlab-late-theirs", "SPE"),
        ("interlab-late-ours", "DEM"),
    ]
    assert "2 sub-orders, the oldest for 3 h" in found[0].sentence("en")
    assert "en retard pour 2 sous-demandes" in found[0].sentence("fr")
