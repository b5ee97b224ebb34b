"""Cases and packs for the tests of the rules: one adult, one potassium, one small pack, each easily changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from labmw.model import Case, HilIndices, Patient, Previous, Result, ResultKey, Sex, Specimen
from labmw.quantity import Quantity, read_number
from rules.pack import Pack, Packs, load
from rules.signature import Signature

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
K = "2823-3"


def quantity(text: str, unit: str = "mmol/L") -> Quantity:
    found = read_number(text)
    assert found is not None
    return Quantity(found[1], found[0], unit)


def result(text: str = "4.2", unit: str = "mmol/L", *, loinc: str = K, **changes: Any) -> Result:
    found = read_number(text)
    return replace(
        Result(
            ResultKey("site", "analyzer", "tube", "K", "", "", "20260115120000"),
            text, None if found is None else quantity(text, unit),
            loinc=loinc, test_name="Potassium", completed=NOON, status="F", driver="acme-x100",
        ),
        **changes,
    )  # fmt: skip


ADULT = Patient("site", "p1", birth=date(1986, 1, 15), sex=Sex.FEMALE)
TUBE = Specimen("site", "tube", "p1", kind="SER", ward="MED", collected=NOON)


def case(text: str = "4.2", unit: str = "mmol/L", *, loinc: str = K, **changes: Any) -> Case:
    """One result of an adult whose history was asked; keyword arguments change the result or the case."""
    inside = {name: changes.pop(name) for name in tuple(changes) if name in {one.name for one in fields(Result)}}
    made = Case(
        result(text, unit, loinc=loinc, **inside),
        ADULT,
        TUBE,
        (),
        HilIndices(Decimal(5), Decimal(1), Decimal(5)),
        now=NOON,
    )
    return replace(made, **changes)


def changed(changes: dict[str, Any]) -> Case:
    """Change the result or the case; `value` and `quantity` too."""
    inside = {name: one for name, one in changes.items() if name in ("value", "quantity")}
    rest = {name: one for name, one in changes.items() if name not in inside}
    one = case(**rest)
    return replace(one, result=replace(one.result, **inside))


def before(text: str, hours: float = 24, unit: str = "mmol/L", **changes: Any) -> Previous:
    return Previous(quantity(text, unit), NOON - timedelta(hours=hours), **changes)


HEADER = "analyte,sex,age_from,age_to,ward,specimen,unit,lim_lo,lim_hi,crit_lo,crit_hi,abs_lo,abs_hi,source\n"
LIMITS = HEADER + "K,*,0d,,*,*,mmol/L,3.0,5.5,2.8,6.2,1.5,12,here\n"

HEAD = """
[pack]
id = "small"
version = "1"
title.en = "Small"
title.fr = "Petit"
authors = ["A"]
limits = "limits.csv"

[sources]
here = "made up"

[analytes.K]
loinc = ["2823-3"]
name.en = "Potassium"
name.fr = "Potassium"
"""


def rule(
    name: str, check: str, *, verdict: str = "hold", keys: str = "", fires: str = "", passes: str = "", expect: str = ""
) -> str:
    """One [[rule]] about potassium, with an example that fires it and one that does not."""
    return f"""
[[rule]]
id = "{name}"
check = "{check}"
verdict = "{verdict}"
message.en = "{{value}} fired"
message.fr = "{{value}} déclenché"
{keys}
[[rule.test]]
name = "fires"
given = {{ {fires} }}
expect = "{expect or verdict}"
[[rule.test]]
name = "passes"
given = {{ {passes} }}
expect = "release"
"""


UNIT = 'unit = "mmol/L"'
LIMIT = rule("LIMIT", "limit", fires=f'value = "5.6", {UNIT}', passes=f'value = "4.2", {UNIT}')
CRITICAL = rule("CRITICAL", "critical", fires=f'value = "6.3", {UNIT}', passes=f'value = "4.2", {UNIT}')
ABSURD = rule("ABSURD", "absurd", verdict="block", fires=f'value = "13", {UNIT}', passes=f'value = "4.2", {UNIT}')
DELTA = rule(
    "DELTA", "delta",
    keys='mode = "percent"\nlimit = 20\nwindow = "72h"\nsource = "here"\nif_missing = "hold"\nif_no_previous = "pass"',
    fires=f'value = "5.0", {UNIT}, previous = {{ value = "4.0", {UNIT}, before = "24h" }}',
    passes=f'value = "4.2", {UNIT}, previous = {{ value = "4.0", {UNIT}, before = "24h" }}',
)  # fmt: skip
HIL = rule(
    "HIL", "hil", keys='index = "H"\nthreshold = 50\nscale = "mg/dL"\ndirection = "up"\nsource = "here"',
    fires=f'value = "4.2", {UNIT}, H = 60', passes=f'value = "4.2", {UNIT}, H = 10',
)  # fmt: skip
FLAG = rule(
    "FLAG", "flag", keys='flags = ["high"]', fires=f'value = "4.2", {UNIT}, flags = ["high"]', passes=f'value = "4.2", {UNIT}'
)  # fmt: skip
ALL_RULES = (LIMIT, CRITICAL, ABSURD, DELTA, HIL, FLAG)


def write(folder: Path, toml: str = HEAD + "".join(ALL_RULES), csv: str | bytes | None = LIMITS) -> Path:
    """Write a pack into a folder and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(toml, encoding="utf-8")
    if csv is not None:
        (folder / "limits.csv").write_bytes(csv.encode() if isinstance(csv, str) else csv)
    return folder


def sign(*packs: Pack) -> tuple[Signature, ...]:
    return tuple(Signature(p.id, p.version, p.hash, "Dr A", "biologist", NOON, "test") for p in packs)


def active(folder: Path, rules: Sequence[str] = ALL_RULES, *, head: str = HEAD, csv: str = LIMITS) -> Packs:
    """Write a pack of these rules, load it, sign it."""
    pack = load(write(folder, head + "".join(rules), csv))
    return Packs.of([pack], sign(pack))
