"""A pack of two tests for what verdicts do to each other: potassium and calcium, with a tube rule, a panel and actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judging import timed

from labmw.driver.reading import ResultRead
from rules.pack import Packs, load
from rules.signature import Signature

K, CA, MG = "2823-3", "17861-6", "2601-3"
HEAD = """
[pack]
id = "two"
version = "1"
title.en = "Two"
title.fr = "Deux"
authors = ["A"]
limits = "limits.csv"
[sources]
here = "made up"
[protocols.P-1]
title.en = "Magnesium with low potassium"
title.fr = "Magnésium si potassium bas"
source = "agreed on 3 March"
[analytes.K]
loinc = ["2823-3"]
name.en = "Potassium"
name.fr = "Potassium"
unit = "mmol/L"
[analytes.CA]
loinc = ["17861-6"]
name.en = "Calcium"
name.fr = "Calcium"
unit = "mmol/L"
"""
CSV = """analyte,sex,age_from,age_to,ward,specimen,unit,lim_lo,lim_hi,crit_lo,crit_hi,abs_lo,abs_hi,source
K,*,0d,,*,*,mmol/L,3.0,9,2.8,,,,here
CA,*,0d,,*,*,mmol/L,1.0,3.0,,,,,here
"""
LIMITS = """
[[rule]]
id = "LIMIT"
check = "limit"
verdict = "hold"
message.en = "{value}"
message.fr = "{value}"
[[rule.test]]
name = "fires"
given = { analyte = "K", value = "9.5", unit = "mmol/L" }
expect = "hold"
[[rule.test]]
name = "passes"
given = { analyte = "K", value = "4.2", unit = "mmol/L" }
expect = "release"
[[rule]]
id = "CRITICAL"
check = "critical"
analytes = ["K"]
verdict = "hold"
message.en = "{value}"
message.fr = "{value}"
[[rule.test]]
name = "fires"
given = { value = "2.5", unit = "mmol/L" }
expect = "hold"
[[rule.test]]
name = "passes"
given = { value = "4.2", unit = "mmol/L" }
expect = "release"
"""


def low(keys: str, name: str = "LOW", verdict: str = "hold") -> str:
    """A rule that fires for a potassium below 3.5, with more keys."""
    return f"""
[[rule]]
id = "{name}"
when = "K < 3.5"
analytes = ["K"]
verdict = "{verdict}"
if_missing = "pass"
source = "here"
message.en = "low"
message.fr = "bas"
{keys}
[[rule.test]]
name = "fires"
given = {{ value = "3.4", unit = "mmol/L" }}
expect = "{verdict}"
[[rule.test]]
name = "passes"
given = {{ value = "4.2", unit = "mmol/L" }}
expect = "release"
"""


EDTA = """
[[rule]]
id = "EDTA"
when = "K > 6 and CA < 1.9"
analytes = ["K"]
verdict = "hold"
scope = "sample"
if_missing = "pass"
source = "here"
message.en = "EDTA"
message.fr = "EDTA"
[[rule.test]]
name = "fires"
given = { value = "6.5", unit = "mmol/L", with = { CA = "1.1" } }
expect = "hold"
[[rule.test]]
name = "passes"
given = { value = "4.2", unit = "mmol/L", with = { CA = "2.3" } }
expect = "release"
"""


def panel(afterwards: str = "hold") -> str:
    """Potassium waits two hours for the calcium that was ordered with it."""
    return f"""
[[rule]]
id = "PANEL"
check = "panel"
analytes = ["K"]
needs = ["CA"]
timeout = "2h"
afterwards = "{afterwards}"
verdict = "hold"
message.en = "waits"
message.fr = "attend"
[[rule.test]]
name = "fires"
given = {{ value = "4.2", unit = "mmol/L", ordered = ["CA"] }}
expect = "hold"
[[rule.test]]
name = "passes"
given = {{ value = "4.2", unit = "mmol/L", with = {{ CA = "2.3" }}, ordered = ["CA"] }}
expect = "release"
"""


def two(folder: Path, *rules: str, protocols: Sequence[str] = (), limits: str = LIMITS, head: str = HEAD) -> Packs:
    """The pack with these rules, signed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(head + limits + "".join(rules), encoding="utf-8")
    (folder / "limits.csv").write_text(CSV, encoding="utf-8")
    pack = load(folder)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    one = Signature(pack.id, pack.version, pack.hash, "Dr Test", "biologist", when, "test")
    return Packs.of([pack], [replace(one, protocols=tuple(protocols))])


def potassium(value: str, minutes: float = 0, **different: Any) -> ResultRead:
    return timed(value, minutes, "mmol/L", code="K", loinc=K, test_name="Potassium", **different)


def calcium(value: str, minutes: float = 0, **different: Any) -> ResultRead:
    return timed(value, minutes, "mmol/L", code="CA", loinc=CA, test_name="Calcium", **different)
