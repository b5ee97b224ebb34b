"""labmw lis: what is done with the LIS by hand: its history loaded, orders typed while it is away, and both sides compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require
from labmw.cli.options import (
    ByOption,
    ConfigOption,
    JsonOption,
    LanguageOption,
    configuration,
    console,
    fail,
    language_of,
)
from labmw.cli.writing import UNUSABLE, look, now, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.comparison import Comparison
    from labmw.terms import LisTerms

DIFFERENT = 1
REFUSED = 1
SHOWN = 20  # faults of a file; who has mended these sees the next

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
history = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Load earlier results.")
app.add_typer(history, name="history")


@app.callback()
def lis() -> None:
    """Load the LIS's history, type orders while it is away, and compare what both sides hold."""


@history.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV with a header line.", show_default=False)],
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Load earlier results for the history rules: all rows of the file, or none when one is wrong. What is there already stays.

    Columns: patient, loinc, completed (with the hour), value, unit; and method, laboratory, analyzer where they are known.

    Exit codes: 0 loaded, 1 something is wrong with the file, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.history import batches, keep_history, read_history

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    agreed = _agreed(settings, tongue)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = read_history(lines, agreed.tests, agreed.zone)
    except (OSError, UnicodeDecodeError) as problem:
        fail(say("history-unreadable", tongue, file=file, problem=problem), REFUSED)
    for fault in found.faults[:SHOWN]:
        sentence = say(fault.reason, tongue, **dict(fault.facts))
        typer.echo(say("history-fault", tongue, file=file, line=fault.line, fault=sentence), err=True)
    if found.faults:
        fail(say("history-refused", tongue, file=file, count=len(found.faults)), REFUSED)
    site = settings.site.id
    write(settings, *(keep_history(site, rows, file.name) for rows in batches(found.rows)), tongue=tongue)
    typer.echo(say("history-loaded", tongue, file=file, count=len(found.rows)))


@app.command()
def order(
    barcode: Annotated[str, typer.Argument(help="The number on the tube's label.", show_default=False)],
    patient: Annotated[str, typer.Option("--patient", help="First identifier: the patient's number in the LIS.")],
    birth: Annotated[str, typer.Option("--birth", help="Second identifier: birth date, as 1970-12-31.")],
    test: Annotated[list[str], typer.Option("--test", help="LOINC code or code of the LIS; once for each test.")],
    family: Annotated[str, typer.Option("--family", help="Birth name, as a help for whoever looks at it.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Type of specimen, such as SER.")] = "",
    stat: Annotated[bool, typer.Option("--stat", help="Urgent.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Type an order while the LIS is away: the label and two identifiers. Analyzers get the work at once.

    What is measured waits in labmw until the LIS has sent its own order of this tube and agrees; if it does not, nothing leaves.

    Exit codes: 0 kept, 1 refused, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from datetime import date

    from labmw.clock import SYSTEM
    from labmw.lab.lis_tests import tests_of
    from labmw.lab.lis_typed import Typed, keep_typed
    from protocols.hl7.datatypes import Code

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    agreed = _agreed(settings, tongue)
    require(settings, who(by), "order", tongue)
    try:
        day = date.fromisoformat(birth)
    except ValueError:
        fail(say("typed-birth", tongue, birth=birth), UNUSABLE)
    if not barcode.strip() or not patient.strip():
        fail(say("typed-empty", tongue), UNUSABLE)
    loincs: list[str] = []
    for code in test:
        found = tests_of(Code(code.strip(), "", "LN"), agreed)
        if not found:
            fail(say("typed-unknown-test", tongue, code=code), REFUSED)
        loincs += found
    typed = Typed(
        barcode.strip(), patient.strip(), day, tuple(dict.fromkeys(loincs)), family, kind, "S" if stat else "R"
    )
    script = keep_typed(settings.site.id, typed, agreed.window_days, who(by), SYSTEM.now())
    (doubt,) = write(settings, script, tongue=tongue)
    if doubt is not None:
        fail(say(doubt.reason, tongue, **dict(doubt.facts)), REFUSED)
    typer.echo(say("typed-kept", tongue, specimen=typed.specimen, tests=", ".join(typed.tests)))


@app.command()
def compare(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look back.")] = 2,
    grace: Annotated[float, typer.Option("--grace", min=0, help="Hours that the LIS may take to release.")] = 12.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Compare what labmw has delivered with what the LIS says it holds. Each difference becomes a task; run it every night.

    Exit codes: 0 both agree; 1 they differ, or the LIS has not said what it holds; 2 wrong usage, or the store cannot be read.
    """
    from datetime import timedelta

    from labmw.clock import SYSTEM, stamp
    from labmw.lab import comparison

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    agreed = _agreed(settings, tongue)
    moment = SYSTEM.now()
    since, before = stamp(moment - timedelta(days=days)), stamp(moment - timedelta(hours=grace))
    found = look(settings, lambda: comparison.compare(settings.site.id, agreed.name, since, before), tongue)
    unheard = bool(found.compared) and found.heard < since
    if not unheard:  # of an LIS that says nothing, every result would be a difference
        write(settings, comparison.keep_comparison(settings.site.id, found, now(), who()), tongue=tongue)
    if as_json:
        typer.echo(json.dumps(_as_json(found), ensure_ascii=False, indent=2))
    else:
        _draw(found, unheard, tongue, agreed)
    raise typer.Exit(DIFFERENT if found.differences or unheard else 0)


def _as_json(found: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    differences = [asdict(one) for one in found.differences]
    return {
        "schema": "labmw-comparison/1",
        "compared": found.compared,
        "lis_heard_at": found.heard or None,
        "differences": differences,
    }


def _draw(found: Comparison, unheard: bool, tongue: Language, agreed: LisTerms) -> None:
    if unheard:
        typer.echo(say("compare-unheard", tongue, lis=agreed.name, count=found.compared))
        return
    for one in found.differences:
        facts = {"specimen": one.specimen, "test": one.test, "ours": one.ours, "theirs": one.theirs or "–"}
        console().print(say(one.what, tongue, **facts), markup=False)
    code = "compare-differs" if found.differences else "compare-agrees"
    typer.echo(say(code, tongue, count=found.compared, differences=len(found.differences), lis=agreed.name))
    if not agreed.dialect.stores_before_ack:
        typer.echo(say("compare-why", tongue, lis=agreed.name))


def _agreed(settings: Config, tongue: Language) -> LisTerms:
    from labmw.lab.lis_agreed import lis_terms

    agreed = lis_terms(settings)
    if agreed is None:
        fail(say("lis-absent", tongue), UNUSABLE)
    return agreed
