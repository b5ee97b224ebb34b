"""Network, site, ward: what a layer changes is visible, what it may not is refused with file, line and remedy, and a chain never bites its tail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from labmw.errors import PackError
from labmw.model import Case, Patient, Result, ResultKey, Sex, Specimen
from labmw.quantity import Quantity
from rules.engine import judge
from rules.lint import lint
from rules.load import load
from rules.pack import Packs, signed
from rules.quick import Quick
from rules.replay.history import prepared
from rules.replay.judge import judge as replayed
from rules.replay.judge import prepare

NETWORK = """
[pack]
id = "k"
version = "1"
title.en = "Potassium"
title.fr = "Potassium"
authors = ["network"]
limits = "limits.csv"
[sources]
starting-point = "A round number."
[analytes.K]
loinc = ["2823-3"]
unit = "mmol/L"
name.en = "Potassium"
name.fr = "Potassium"
[[rule]]
id = "LIM"
check = "limit"
verdict = "hold"
message.en = "outside"
message.fr = "hors"
[[rule.test]]
name = "inside"
given = { value = "4.2", unit = "mmol/L", age = "50y" }
expect = "release"
[[rule.test]]
name = "above"
given = { value = "9", unit = "mmol/L", age = "50y" }
expect = "hold"
[[rule]]
id = "HIGH"
when = "value > 5"
verdict = "hold"
if_missing = "hold"
source = "starting-point"
message.en = "high"
message.fr = "haut"
[[rule.test]]
name = "high"
given = { value = "5.2", unit = "mmol/L", age = "50y" }
expect = "hold"
[[rule.test]]
name = "not"
given = { value = "4.2", unit = "mmol/L", age = "50y" }
expect = "release"
"""
HEAD = "analyte,sex,age_from,age_to,ward,specimen,unit,lim_lo,lim_hi,crit_lo,crit_hi,abs_lo,abs_hi,source\n"
WARD = """
[pack]
id = "k"
version = "1-dial"
extends = "../network"
review_by = 2027-04-01
limits = "limits.csv"
[[override]]
rule = "HIGH"
wards = ["DIAL"]
reason.en = "known to be high before dialysis"
reason.fr = "connu élevé avant dialyse"
with = { when = "value > 6" }
[[override.test]]
name = "still high"
given = { value = "6.2", unit = "mmol/L", age = "50y", ward = "DIAL" }
expect = "hold"
[[override.test]]
name = "known"
given = { value = "5.5", unit = "mmol/L", age = "50y", ward = "DIAL" }
expect = "release"
"""


def write(folder: Path, name: str, page: str, rows: str = "") -> Path:
    place = folder / name
    place.mkdir(exist_ok=True)
    (place / "pack.toml").write_text(page, encoding="utf-8")
    if rows:
        (place / "limits.csv").write_text(HEAD + rows, encoding="utf-8")
    return place


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write(tmp_path, "network", NETWORK, "K,*,18y,,*,*,mmol/L,3,8,,,,,starting-point\n")


def case(value: str, ward: str = "") -> Case:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    result = Result(
        ResultKey("S", "A", "T", "K", "", "", ""), value, Quantity(Decimal(value), "", "mmol/L"), loinc="2823-3", status="F",
        completed=moment, driver="d",
    )  # fmt: skip
    patient = Patient("S", "P", birth=date(1970, 1, 1), sex=Sex.FEMALE)
    return Case(result, patient, Specimen("S", "T", "P", "SER", ward=ward), history=(), now=moment)


def both(value: str, ward: str, packs: Packs) -> str:
    """What the engine and the quick way say, which must be the same."""
    slow = judge(case(value, ward), packs)
    assert Quick(packs).level(case(value, ward)) in (None, slow.level)
    return slow.level.name.lower()


def in_force(*folders: Path) -> Packs:
    packs = [load(folder) for folder in folders]
    return Packs.of(
        packs, [signed(pack, who="A", at=datetime(2026, 1, 1, tzinfo=UTC), reason="test") for pack in packs]
    )


def test_a_ward_differs_where_it_says_so_and_nowhere_else(network: Path, tmp_path: Path) -> None:
    ward = write(tmp_path, "ward", WARD, "K,*,18y,,DIAL,*,mmol/L,3,9,,,,,starting-point\n")
    packs = in_force(ward)
    assert [both(value, "DIAL", packs) for value in ("5.5", "6.2", "8.5")] == ["release", "hold", "hold"]
    assert [both(value, "MED", packs) for value in ("4.5", "5.5")] == ["release", "hold"]
    assert both("5.5", "", packs) == "hold", "a ward that is not known gets nothing that only one ward gets"
    [override] = packs.active[0].overrides
    assert (override.rule, override.wards, override.what, override.parent) == ("HIGH", ("DIAL",), "when", "k@1")
    assert packs.active[0].extends == ("k@1",)
    assert packs.active[0].review_by == date(2027, 4, 1)
    assert any(one.code == "lint-override" for one in lint(packs.active[0])), "it is visible"


def test_without_the_override_the_ward_is_like_any_other(network: Path) -> None:
    """The variant of the test above."""
    assert both("5.5", "DIAL", in_force(network)) == "hold"


def test_a_site_overrides_everywhere_and_can_be_overridden(network: Path, tmp_path: Path) -> None:
    site = (
        '[pack]\nid = "k"\nversion = "1-site"\nextends = "../network"\n[[override]]\nrule = "HIGH"\nreason.en = "ours"\nreason.fr = "nous"\n'
        'with = { verdict = "comment" }\n[[override.test]]\nname = "high"\ngiven = { value = "5.2", unit = "mmol/L", age = "50y" }\nexpect = "comment"\n'
        '[[override.test]]\nname = "not"\ngiven = { value = "4.2", unit = "mmol/L", age = "50y" }\nexpect = "release"\n'
    )
    write(tmp_path, "site", site)
    ward = (
        '[pack]\nid = "k"\nversion = "1-ward"\nextends = "../site"\nlimits = "limits.csv"\n[[override]]\nrule = "HIGH"\nwards = ["ICU"]\n'
        'reason.en = "not here"\nreason.fr = "pas ici"\nremove = true\n'
    )
    packs = in_force(write(tmp_path, "ward", ward, "K,*,18y,,*,*,mmol/L,3,7,,,,,starting-point\n"))
    assert [both(value, ward, packs) for value, ward in (("5.5", "MED"), ("5.5", "ICU"), ("7.5", "MED"))] == [
        "comment",
        "release",
        "hold",
    ]
    assert packs.active[0].extends == ("k@1", "k@1-site")
    assert len(packs.active[0].limits.rows) == 1, "the row with the parent's key takes its place"


def test_a_change_of_the_parent_asks_for_a_new_signature(network: Path, tmp_path: Path) -> None:
    ward = write(tmp_path, "ward", WARD, "K,*,18y,,DIAL,*,mmol/L,3,9,,,,,starting-point\n")
    before = load(ward).hash
    page = network / "pack.toml"
    page.write_text(page.read_text(encoding="utf-8").replace("value > 5", "value > 5.1"), encoding="utf-8")
    assert load(ward).hash != before


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (WARD.replace("../network", "../nowhere"), ("line 5", "no pack.toml", "parent's folder")),
        (WARD.replace("../network", "../ward"), ("line 5", "comes back to itself: ward -> ward", "stand on its own")),
        (WARD.replace('"HIGH"', '"HIHG"'), ("line 9", "no rule of the parent", "did you mean 'HIGH'?")),
        (WARD.replace("with = {", "whit = {"), ("whit", "not a known key")),
        (WARD.replace('reason.fr = "connu élevé avant dialyse"\n', ""), ("reason", "fr")),
        (WARD.replace('with = { when = "value > 6" }', ""), ("changes nothing",)),
        (WARD.replace('with = { when = "value > 6" }', 'with = { when = "value > 6" }\nremove = true'), ("stands beside changes",)),
        (WARD.replace('with = { when', 'with = { id = "X", when'), ("leave id out",)),
        (WARD.replace('"value > 6"', '"__import__(1) > 6"'), ("HIGH",)),
        (WARD + '[analytes.K]\nloinc = ["2823-3"]\n', ("analytes.K", "parent's")),
        (WARD.replace("2027-04-01", '"soon"'), ("review_by", "not a day")),
        (WARD.replace('rule = "HIGH"\nwards', 'rule = "LIM"\nwards').replace('{ when = "value > 6" }', '{ verdict = "review" }'), ("limit table",)),
    ],
)  # fmt: skip
def test_what_a_layer_may_not_do_is_refused_with_place_and_remedy(
    network: Path, tmp_path: Path, page: str, told: tuple[str, ...]
) -> None:
    ward = write(tmp_path, "ward", page, "K,*,18y,,DIAL,*,mmol/L,3,9,,,,,starting-point\n")
    with pytest.raises(PackError) as caught:
        load(ward)
    assert "pack.toml" in str(caught.value)
    for words in told:
        assert words in str(caught.value)


def test_a_cycle_of_three_and_a_tower_are_refused(network: Path, tmp_path: Path) -> None:
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        write(tmp_path, name, f'[pack]\nid = "{name}"\nversion = "1"\nextends = "../{parent}"\n')
    with pytest.raises(PackError, match="comes back to itself: a -> b -> c -> a"):
        load(tmp_path / "a")
    parent = "network"
    for level in range(6):
        write(tmp_path, f"l{level}", f'[pack]\nid = "k"\nversion = "{level}"\nextends = "../{parent}"\n')
        parent = f"l{level}"
    assert load(tmp_path / "l3").extends[0] == "k@1"
    with pytest.raises(PackError, match="more than 5"):
        load(tmp_path / "l5")


def test_a_layer_that_adds_nothing_says_what_its_parent_says(network: Path, tmp_path: Path) -> None:
    same = write(tmp_path, "same", '[pack]\nid = "k"\nversion = "1"\nextends = "../network"\n')
    packs = in_force(same)
    for value in ("2", "4.5", "5.5", "9"):
        assert both(value, "MED", packs) == both(value, "MED", in_force(network))
    assert replace(load(same), hash="", file="", extends=()).rules == load(network).rules


def test_a_year_of_results_is_judged_alike(network: Path, tmp_path: Path) -> None:
    ward = write(tmp_path, "ward", WARD, "K,*,18y,,DIAL,*,mmol/L,3,9,,,,,starting-point\n")
    packs = in_force(ward)
    cases = [(value, where) for value in ("4.5", "5.5", "6.2", "8.5") for where in ("DIAL", "MED", "")]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    table = pl.DataFrame(
        [
            {
                "patient": f"P{place}", "specimen": f"T{place}", "loinc": "2823-3", "number": float(value), "unit": "mmol/L", "completed": moment,
                "sex": "F", "birth": date(1970, 1, 1), "ward": where, "kind": "SER", "driver": "d", "value": value,
            }
            for place, (value, where) in enumerate(cases)
        ]
    )  # fmt: skip
    judged = replayed(prepare(prepared("test", table), [packs]), packs)
    levels = judged.table.sort("row")["verdict"].to_list()
    assert levels == [int(judge(case(value, where), packs).level) for value, where in cases]
