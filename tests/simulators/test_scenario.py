"""Is a scenario read strictly, laid out the same for the same seed, and does the work list fit it?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulators import recorded
from simulators.errors import ScenarioError
from simulators.samples import morning
from simulators.scenario import load, read
from simulators.worklist import worklist

DEMO = recorded.HERE / "scenarios" / "demo.toml"
NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
ANALYZER: dict[str, Any] = {"name": "a", "dialect": "sysmex-xn", "connect": "127.0.0.1:4001"}


def test_the_demo_has_four_analyzers_and_about_300_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABMW_CORPUS", str(tmp_path))  # no corpus here: the own recording is played
    works = morning(load(DEMO), NOW)
    plugs = Counter("pty" if one.table.pty else "tcp" for one in works)
    assert (plugs["pty"], plugs["tcp"]) == (1, 3)
    results = {result for work in works for sent in work.transmissions for result in sent.results}
    assert 280 <= len(results) <= 330
    assert [one.name for work in works for one in work.transmissions if one.capture] == ["yumizen-h500.wire"]


def test_the_demo_plants_what_the_issue_asks_for() -> None:
    works = morning(load(DEMO), NOW)
    cases = {case.case: case for work in works for case in work.planted}
    assert set(cases) == {
        "critical-potassium", "haemolysed-sample", "unknown-test-code", "decimal-or-thousands", "duplicate-transmission",
        "result-without-order", "unterminated-message", "hang-up-in-mid-message",
    }  # fmt: skip
    sent = {one.case: one for work in works for one in work.transmissions if one.case and not one.repeat_of}
    again = [one for work in works for one in work.transmissions if one.repeat_of]
    assert [one.value for one in cases["decimal-or-thousands"].results if one.main] == ["161,152"]
    assert not sent["unterminated-message"].terminated
    assert not any(record.startswith(b"L") for record in sent["unterminated-message"].records)
    assert sent["hang-up-in-mid-message"].hang_ups
    assert [(one.case, one.records) for one in again] == [
        ("duplicate-transmission", sent["duplicate-transmission"].records)
    ]


def test_the_seed_and_the_moment_decide_everything() -> None:
    first, second = morning(load(DEMO), NOW), morning(load(DEMO), NOW)
    assert first == second
    later = morning(load(DEMO), NOW + timedelta(days=1))
    assert later != first
    values = [[(r.code, r.value) for sent in work.transmissions for r in sent.results] for work in (*first, *later)]
    assert values[: len(first)] == values[len(first) :]  # the same bodies on another day


def test_the_work_list_knows_every_sample_but_the_one_without_order() -> None:
    scenario = load(DEMO)
    works = morning(scenario, NOW)
    told = worklist(scenario, [sample for work in works for sample in work.samples])
    patients = {one["identifier"] for one in told["patients"]}
    tubes = {one["identifier"]: one for one in told["specimens"]}
    ordered = {(one["specimen"], one["loinc"]) for one in told["orders"]}
    stray = next(case.specimen for work in works for case in work.planted if case.case == "result-without-order")
    sent = {result.specimen for work in works for one in work.transmissions for result in one.results}
    assert set(tubes) == sent - {stray}
    assert {one["patient"] for one in tubes.values()} <= patients
    assert len(patients) == len(told["patients"])
    assert {specimen for specimen, _ in ordered} == set(tubes)
    assert len({one["placer"] for one in told["orders"]}) == len(told["orders"])
    assert {one["patient"] for one in told["previous"]} <= patients
    assert all(one["unit"] and one["loinc"] and one["completed_at"] < "2025-03-10" for one in told["previous"])
    for tube in tubes.values():
        assert (tube["valid_from"] is None) == (tube["valid_to"] is None)
        assert not tube["valid_from"] or tube["valid_from"] < "2025-03-10T09:30:00" < tube["valid_to"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dialect": "acme"}, "'acme' is not known; use one of"),
        ({"connect": ""}, "no plug; set exactly one"),
        ({"pty": "tty"}, "connect and pty; set exactly one"),
        ({"connect": "4001"}, "is not host:port"),
        ({"connect": "h:99999"}, "is not host:port"),
        ({"tests": ["GLU"]}, "test 'GLU' is not one of sysmex-xn"),
        ({"planted": [{"case": "c", "values": {"GLU": "1"}}]}, "test 'GLU'"),
        ({"faults": {"to_labmw": {"evaporate": 1}}}, "evaporate: is not a fault; use some of"),
        ({"faults": {"to_labmw": {"drop": 2}}}, "a chance is a number from 0 to 1"),
        ({"sampels": 3}, "sampels"),
        ({"samples": "three"}, "samples"),
        ({"samples": -1}, ">= 0"),
        ({"planted": [{"case": "c", "times": 0}]}, ">= 1"),
        ({"forgets": "record", "packing": "message"}, "needs one record per frame"),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_remedy(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=r"^x\.toml: ") as error:
        read({"analyzer": [ANALYZER | change]}, "x.toml")
    assert told in str(error.value)


def test_names_and_zone_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="used twice"):
        read({"analyzer": [ANALYZER, ANALYZER]}, "x")
    with pytest.raises(ScenarioError, match="time zone"):
        read({"timezone": "Mars"}, "x")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ScenarioError, match="not TOML"):
        load(tmp_path / "bad.toml")


def test_planted_samples_stand_where_they_are_told_or_spread() -> None:
    table = ANALYZER | {"samples": 4, "planted": [{"case": "first", "at": 0}, {"case": "spread"}]}
    (work,) = morning(read({"analyzer": [table]}, "x"), NOW)
    cases = [one.case for one in work.transmissions]
    assert cases[0] == "first"
    assert cases.index("spread") not in (0, len(cases) - 1)
    assert len(cases) == 6
