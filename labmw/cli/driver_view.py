"""How is a driver shown on a screen?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labmw.driver.declaration import Driver, Evidence
from labmw.phrases import Language, codes, say

if TYPE_CHECKING:
    from rich.console import Console

_LISTED = ("name", "maker", "models", "evidence", "protocol", "mapping", "tests")


def draw_list(console: Console, drivers: Sequence[Driver], language: Language) -> None:
    """The proven drivers first, then those whose results all wait for a person, then those that release nothing."""
    proven = [driver for driver in drivers if driver.evidence >= Evidence.MANUAL]
    restated = [driver for driver in drivers if driver.evidence is Evidence.RESTATED]
    unproven = [driver for driver in drivers if driver.evidence is Evidence.UNVERIFIED]
    console.print(say("driver-proven", language, count=len(proven)))
    _table(console, proven, language)
    if restated:
        console.print("\n" + say("driver-restated-list", language, count=len(restated)))
        _table(console, restated, language)
    console.print("\n" + say("driver-unproven", language, count=len(unproven)))
    _table(console, unproven, language)


def _table(console: Console, drivers: Sequence[Driver], language: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in _LISTED:
        kept = name in {"name", "evidence", "protocol", "mapping", "tests"}
        table.add_column(say(f"driver-{name}", language), no_wrap=kept, overflow="fold")
    for driver in drivers:
        cells = [
            driver.name,
            driver.maker or "-",
            ", ".join(driver.models) or "-",
            driver.evidence.name.lower(),
            driver.protocol.upper(),
            driver.mapping_version,
            str(len(driver.tests)),
        ]
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def draw(console: Console, driver: Driver, shown: dict[str, Any], language: Language) -> None:
    """One driver: what it is, its tests, its traps, its source, and what its file says."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, text in (
        ("name", driver.name),
        ("maker", driver.maker or "-"),
        ("models", ", ".join(driver.models) or "-"),
        ("evidence", shown["evidence"]),
        ("protocol", driver.protocol.upper()),
        ("header", driver.recognises or "-"),
        ("orders", say("driver-orders-yes" if shown["orders"] else "driver-orders-no", language)),
        ("mapping", driver.mapping_version),
        ("file", driver.file),
    ):
        grid.add_row(Text(say(f"driver-{name}", language), "bold"), Text(text))
    console.print(grid)
    if shown["tests"]:
        console.print()
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("driver-code", "driver-test"):
            table.add_column(say(heading, language), overflow="fold")
        table.add_column("LOINC", no_wrap=True)
        for heading in ("driver-units", "driver-words"):
            table.add_column(say(heading, language), overflow="fold")
        for test in shown["tests"]:
            units = ", ".join(unit for unit in (test["unit"], *test["also"]) if unit)
            loinc = test["loinc"] or (f"({test['index']})" if test["index"] else "-")
            cells = (test["code"], test["name"], loinc, units or "-", ", ".join(test["words"]) or "-")
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    if shown["dialect"]:
        _dialect(console, shown["dialect"], language)
    _paragraphs(console, say("driver-traps", language), [f"- {trap['text']}" for trap in shown["traps"]])
    _paragraphs(console, say("driver-source", language), [shown["source"] or "-", *shown["captures"]])
    _paragraphs(console, say("driver-says", language), shown["says"])


def _dialect(console: Console, told: dict[str, Any], language: Language) -> None:
    """How it is told what to do: each field with its source, then what else decides at night."""
    from rich.table import Table
    from rich.text import Text

    console.print()
    console.print(Text(say("driver-dialect", language), "bold"))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("driver-place", "driver-written", "driver-from"):
        table.add_column(say(heading, language), overflow="fold")
    sources = list(dict.fromkeys(one["source"] for one in told["places"] if one["source"]))
    for one in told["places"]:
        code, meant = f"driver-place-{one['place']}", f"driver-{one['place']}-{one['text']}"
        place = say(code, language) if code in codes() else one["place"]
        text = say(meant, language) if meant in codes() else one["text"]
        source = f"({sources.index(one['source']) + 1})" if one["source"] else say("driver-standard", language)
        table.add_row(Text(place), Text(text), Text(source))
    console.print(table)
    for number, source in enumerate(sources, 1):
        console.print(Text(f"({number}) {source}"))
    for code in (
        "driver-codes-own" if told["codes"] == {} else "",
        "" if told["unasked"] else "driver-asks-only",
        "" if told["cancels"] else "driver-no-cancel",
    ):
        if code:
            console.print(Text(f"- {say(code, language)}"))
    waits = say("driver-patience", language, seconds=f"{told['patience']:g}")
    console.print(Text(f"- {waits}"))


def _paragraphs(console: Console, heading: str, lines: Sequence[str]) -> None:
    from rich.text import Text

    if lines:
        console.print()
        console.print(Text(heading, "bold"))
        for line in lines:
            console.print(Text(line))
