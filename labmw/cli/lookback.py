"""labmw lookback: what has a bad lot, calibrator, module, mapping or rule touched, who has it, and is each line dealt with?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require
from labmw.cli.options import (
    ByOption,
    ConfigOption,
    JsonOption,
    LanguageOption,
    WhyOption,
    configuration,
    console,
    fail,
    language_of,
)
from labmw.cli.period import between
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.lookback import Touched
    from labmw.store import Row, Transaction

FOUND = 1

app = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)
Number = Annotated[int, typer.Argument(help="The search's number, from `labmw lookback list`.", show_default=False)]


@app.callback()
def lookback(
    context: typer.Context,
    lot: Annotated[str, typer.Option("--lot", help="Lot of a reagent, calibrator or consumable.")] = "",
    calibrator: Annotated[str, typer.Option("--calibrator", help="Name or lot of a calibrator.")] = "",
    module: Annotated[str, typer.Option("--module", help="Line, analyzer, serial number, or module of one.")] = "",
    mapping: Annotated[
        str, typer.Option("--mapping", help="A driver, DRIVER/CODE, or the digest of a driver's file.")
    ] = "",
    rule: Annotated[str, typer.Option("--rule", help="A rule (PACK/RULE), or a pack.")] = "",
    since: Annotated[str, typer.Option("--from", help="Only what came from then on: 2026-11-25T08:00.")] = "",
    before: Annotated[str, typer.Option("--to", help="Only what came before.")] = "",
    keep: Annotated[
        bool, typer.Option("--open", help="Keep what is found, until each line is closed; needs --why.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="The reason; it goes into the audit.", show_default=False)] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the patients and results that something has touched, what of them has left, and to whom.

    Give exactly one of --lot, --calibrator, --module, --mapping and --rule.

    Exit codes: 0 nothing was touched, 1 something was, 2 wrong usage, or the store cannot be used.
    """
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from labmw.lab.lookback import MOST, open_lookback, search

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    asked = {"lot": lot, "calibrator": calibrator, "module": module, "mapping": mapping, "rule": rule}
    given = [(kind, text.strip()) for kind, text in asked.items() if text.strip()]
    if len(given) != 1:
        fail(say("lookback-what", tongue), UNUSABLE)
    ((kind, subject),) = given
    site, period = settings.site.id, between(settings, since, before, tongue)
    decided = {"at": now(), "by": who(by), "why": reason_given(why, tongue)} if keep else {}
    found = look(settings, lambda: search(site, kind, subject, *period), tongue)
    if len(found) > MOST:
        fail(say("lookback-many", tongue, most=MOST), UNUSABLE)
    number = None
    if keep:
        (number,) = write(settings, open_lookback(site, kind, subject, *period, found, **decided), tongue=tongue)
    if as_json:
        told: dict[str, Any] = {"schema": "labmw-lookback/1", "lookback": number, "kind": kind, "subject": subject}
        typer.echo(json.dumps(told | {"results": [asdict(one) for one in found]}, ensure_ascii=False, indent=2))
    else:
        _draw(found, settings, tongue)
        facts = {"subject": subject, "count": len(found), "left": sum(one.left for one in found)}
        typer.echo(say("lookback-found", tongue, patients=len({one.patient for one in found if one.patient}), **facts))
        if not found:
            typer.echo(say("lookback-nothing", tongue, kind=say(f"lookback-{kind}", tongue), subject=subject))
        _tell_of_archive(settings, period[0], tongue)
        if number is not None:
            typer.echo(say("lookback-opened", tongue, number=number))
    raise typer.Exit(FOUND if found else 0)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are done too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the searches that were opened, and how many lines wait for a person.

    Exit codes: 0 none is open, 1 one is, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements.lookback import lookbacks
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(lookbacks(settings.site.id, every=every)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        for row in rows:
            typer.echo(say("lookback-row", tongue, **_facts(row, tongue)))
        if not rows:
            typer.echo(say("lookback-none", tongue))
    raise typer.Exit(FOUND if any(row.state == "open" for row in rows) else 0)


@app.command()
def show(
    number: Number, config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None
) -> None:
    """Show a search: every line as it was found, what has become of the result since, and why it was closed.

    Exit codes: 0 shown, 1 unknown, 2 wrong usage, or the store cannot be read.
    """
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row, lines = look(settings, lambda: _whole(settings.site.id, number), tongue)
    if row is None:
        fail(say("lookback-unknown", tongue, number=number), FOUND)
    if as_json:
        found = [{**line.mapping(), "told": json.loads(line.told)} for line in lines]
        typer.echo(json.dumps(row.mapping() | {"lines": found}, ensure_ascii=False, indent=2))
        return
    from rich.table import Table

    heads = ("patient", "specimen", "found", "told", "now", "closed")
    table = Table("#", *(say(f"lookback-head-{head}", tongue) for head in heads))
    for line in lines:
        told = "\n".join(_sentence(one, settings, tongue) for one in json.loads(line.told)) or "–"
        closed = f"{line.note} ({line.closed_by})" if line.state == "closed" else "–"
        table.add_row(
            str(line.id),
            line.patient,
            line.specimen,
            _as_found(line.found, tongue),
            told,
            say(f"state-{line.now}", tongue),
            closed,
        )
    console().print(table)
    left = sum(line.state == "open" for line in lines)
    about = {"kind": say(f"lookback-{row.kind}", tongue), "subject": row.subject, "by": row.by, "why": row.why}
    typer.echo(say("lookback-row", tongue, number=number, lines=len(lines), left=left, **about))


@app.command()
def close(
    number: Number,
    why: WhyOption,
    lines: Annotated[list[int] | None, typer.Argument(help="Numbers of lines.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every line that is open.")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Close lines of a search: say in --why what was done about them. With its last line the search is done.

    Exit codes: 0 closed, 1 unknown, no line of these is open, or no role that may; 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.lookback import close_lines

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    if bool(lines) == every:
        fail(say("lookback-lines", tongue), UNUSABLE)
    require(settings, who(by), "recall", tongue)
    row, known = look(settings, lambda: _whole(settings.site.id, number), tongue)
    if row is None:
        fail(say("lookback-unknown", tongue, number=number), FOUND)
    chosen = [line.id for line in known if line.state == "open"] if every else list(lines or [])
    script = close_lines(settings.site.id, number, chosen, at=now(), by=who(by), why=told)
    ((closed, done),) = write(settings, script, tongue=tongue)
    if not closed:
        fail(say("lookback-not-open", tongue, number=number), FOUND)
    typer.echo(say("lookback-done" if done else "lookback-closed", tongue, number=number, count=len(closed)))


def _tell_of_archive(settings: Config, since: str, tongue: Language) -> None:
    """Say how much of the archive could hold something of the period: it is not searched."""
    from labmw.store.statements import archive
    from labmw.store.transaction import ask

    rows = look(settings, lambda: ask(archive.pieces(settings.site.id)), tongue)
    last = {row.name: row.last for row in rows if row.of == "results" and row.state in archive.READABLE}
    within = [day for day in last.values() if day >= since[:10]]
    if within:
        typer.echo(say("lookback-archive", tongue, count=len(within), before=max(within)))


def _whole(site: str, number: int) -> Transaction[tuple[Row | None, list[Row]]]:
    from labmw.store.statements.lookback import lines_of, lookback_numbered

    rows = yield lookback_numbered(site, number)
    return (rows[0] if rows else None), (yield lines_of(number))


def _facts(row: Row, tongue: Language) -> dict[str, Any]:
    about = {"number": row.id, "kind": say(f"lookback-{row.kind}", tongue), "subject": row.subject}
    return {**about, "by": row.by, "why": row.why, "lines": row.lines, "left": row.left}


def _draw(found: list[Touched], settings: Config, tongue: Language) -> None:
    from dataclasses import asdict

    from rich.table import Table

    heads = ("patient", "specimen", "found", "told")
    table = Table("#", *(say(f"lookback-head-{head}", tongue) for head in heads))
    for one in found:
        told = "\n".join(_sentence(asdict(each), settings, tongue) for each in one.told) or "–"
        state = say(f"state-{one.state}", tongue)
        table.add_row(str(one.result), one.patient, one.specimen, f"{one.test} {one.value} ({state})", told)
    if found:
        console().print(table)


def _as_found(found: str, tongue: Language) -> str:
    """A line as it was kept, its state in the reader's language."""
    text, _, state = found.rpartition(" (")
    return f"{text} ({say(f'state-{state[:-1]}', tongue)})" if text else found


def _sentence(told: dict[str, Any], settings: Config, tongue: Language) -> str:
    from zoneinfo import ZoneInfo

    from labmw.watch.spoken import moment

    state = say(f"outbox-is-{told['state']}", tongue)
    at = moment(told["at"], ZoneInfo(settings.site.timezone))[:16] if told["at"] else ""
    return f"{told['destination']}: {state} {at}".strip()
