"""labmw outbox: what has not arrived, and what a person does about it."""

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
from labmw.cli.writing import look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.delivery.routing import Routed
    from labmw.store import Row, Transaction

UNKNOWN = 1
UNUSABLE = 2
_INSIDE = ("payload_key", "receipt_key", "claimed_by", "claimed_until")
"""What `show` keeps for --json."""

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
Entry = Annotated[
    int, typer.Argument(help="The message's number, as `labmw outbox list` shows it.", show_default=False)
]


@app.callback()
def outbox() -> None:
    """Show what has not arrived at its destination; send it again, hold it back, send it elsewhere, or put it away."""


@app.command("list")
def list_(
    config: ConfigOption = None,
    specimen: Annotated[
        str, typer.Option("--specimen", help="Every message about a specimen, delivered ones too.")
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="So many at most.")] = 200,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the messages that have not arrived, by destination and in the order of sending.

    Exit codes: 0 nothing waits for a person, 1 a dead letter or a held message does, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements import outbox_waiting
    from labmw.store.statements.mending import outbox_of_specimen, outbox_undelivered
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site = settings.site.id
    step = outbox_of_specimen(site, specimen) if specimen else outbox_undelivered(site, most=most)
    rows = look(settings, lambda: ask(step), tongue)
    states, total = {row.state for row in rows}, len(rows)
    if not specimen and total == most:  # a dead letter behind the last one that is shown waits for a person, too
        every = look(settings, lambda: ask(outbox_waiting(site)), tongue)
        states, total = {row.state for row in every}, sum(row.count for row in every)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        from rich.table import Table

        from labmw.watch.spoken import trouble

        heads = ("#", *(say(f"outbox-{name}", tongue) for name in ("to", "state", "specimen", "attempts", "error")))
        table = Table(*heads)
        for row in rows:
            state = say(f"outbox-is-{row.state}", tongue)
            table.add_row(
                str(row.id),
                row.destination,
                state,
                row.specimen,
                str(row.attempts),
                trouble(row.last_error, tongue)[:200],
            )
        if rows:
            console().print(table)
        code = "outbox-counted" if total <= len(rows) else "outbox-counted-of"
        typer.echo(say(code, tongue, count=len(rows), total=total))
    raise typer.Exit(UNKNOWN if states & {"dead", "held"} else 0)


@app.command()
def show(
    entry: Entry,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
    identity: Annotated[bool, typer.Option("--identity", help="Show names too.")] = False,
) -> None:
    """Show one message: what it carries, its bytes as sent, and the receiver's acknowledgment.

    Exit codes: 0 shown, 1 unknown, 2 wrong usage, or the store cannot be read.
    """
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row, carried, refusals = look(settings, lambda: _whole(settings.site.id, entry), tongue)
    if row is None:
        fail(say("outbox-unknown", tongue, entry=entry), UNKNOWN)
    told: dict[str, Any] = {
        name: value for name, value in row.mapping().items() if name not in ("payload", "receipt", "site")
    }
    told["results"] = [one.mapping() for one in carried]
    told["refusals"] = [" ".join((one.at, one.code, *_lines(one.data, identity))) for one in refusals]
    told["sent"], told["receipt"] = (_lines(part, identity) for part in (row.payload, row.receipt))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    from zoneinfo import ZoneInfo

    from rich.table import Table
    from rich.text import Text

    from labmw.watch.spoken import moment, trouble

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    told["results"] = [
        " ".join(
            (
                *(str(one[name]) for name in ("specimen", "code", "value", "unit_raw")),
                f"({say('state-' + one['state'], tongue)})",
            )
        )
        for one in told["results"]
    ]
    zone = ZoneInfo(settings.site.timezone)
    told |= {"state": say(f"outbox-is-{row.state}", tongue), "last_error": trouble(row.last_error, tongue)}
    told |= {name: moment(told[name], zone) for name in told if name.endswith("_at") and told[name]}
    for name, value in told.items():
        if value not in (None, "", []) and name not in _INSIDE:
            label = say(f"outbox-shown-{name.replace('_', '-')}", tongue)
            grid.add_row(label, Text("\n".join(value) if isinstance(value, list) else str(value)))
    console().print(grid)


@app.command()
def retry(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Send a message again at once: a dead letter, a held one, or one whose turn comes later. The same bytes under the same number.

    Exit codes: 0 done, 1 it cannot be done, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.mending import retry as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    require(settings, who(by), "deliver", tongue)
    _decide(settings, script(settings.site.id, entry, at=now(), by=who(by), why=told), tongue)
    typer.echo(say("outbox-retried", tongue, entry=entry))


@app.command()
def hold(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Keep a message back; `labmw outbox retry` lets it go.

    Exit codes: 0 done, 1 it cannot be done, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.mending import hold as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    require(settings, who(by), "deliver", tongue, "stop")
    _decide(settings, script(settings.site.id, entry, at=now(), by=who(by), why=told), tongue)
    typer.echo(say("outbox-held", tongue, entry=entry))


@app.command()
def close(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Put away a message that is not to be sent any more: it was reported by hand, or a later one says otherwise.

    Exit codes: 0 done, 1 it cannot be done, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.mending import close as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    require(settings, who(by), "deliver", tongue)
    _decide(settings, script(settings.site.id, entry, at=now(), by=who(by), why=told), tongue)
    typer.echo(say("outbox-closed", tongue, entry=entry))


@app.command()
def route(
    why: WhyOption,
    to: Annotated[str, typer.Option("--to", help="The destination that gets them, as the configuration names it.")],
    entries: Annotated[list[int] | None, typer.Argument(help="Numbers of messages.", show_default=False)] = None,
    source: Annotated[
        str, typer.Option("--from", help="Everything that this destination has not taken, in one step.")
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Send what one destination has not taken to another instead; the old messages are put away. A destination gets a result once.

    Exit codes: 0 done, 1 it cannot be done, there is nothing to do, or no role that may; 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.routing import route as script
    from labmw.delivery.routing import route_all

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    require(settings, who(by), "deliver", tongue)
    _known(settings, to, tongue)
    if bool(entries) == bool(source):
        fail(say("outbox-route-what", tongue), UNUSABLE)
    decided = {"at": now(), "by": who(by), "why": told}
    done: list[Routed] = []
    if source:
        done = _decide(settings, route_all(settings.site.id, source, to, **decided), tongue)
    for one in done:
        _say_routed(one, to, tongue)
    for entry in entries or []:  # each is said at once: what was done stays done when the next one cannot be
        done.append(_decide(settings, script(settings.site.id, entry, to, **decided), tongue))
        _say_routed(done[-1], to, tongue)
    if not done:
        fail(say("outbox-route-nothing", tongue, source=source), UNKNOWN)


@app.command()
def redeliver(
    since: Annotated[str, typer.Option("--from", help="Its beginning, in the site's time: 2026-11-25T08:00.")],
    before: Annotated[str, typer.Option("--to", help="Its end.")],
    destination: Annotated[
        str, typer.Option("--destination", help="Who has lost it; when not given, the LIS.", show_default=False)
    ] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Send. Without it nothing is sent: it shows what would be.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also what the destination says it holds as it was sent.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="The reason; it goes into the audit.", show_default=False)] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show what a destination took in a time, and send it again when it has lost it: current versions only, never over a later state.

    Exit codes: 0 shown or queued, 1 the destination took nothing in this time, or no role that may send, 2 wrong usage, or the store cannot be used.
    """
    from dataclasses import asdict

    from labmw.delivery.redelivery import MOST, SENT, plan
    from labmw.delivery.redelivery import redeliver as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site = settings.site.id
    to = destination or next(iter(settings.destinations), "")
    _known(settings, to, tongue)
    period = between(settings, since, before, tongue)
    decided = {}
    if send:
        decided = {"at": now(), "by": who(by), "why": reason_given(why, tongue)}
        require(settings, decided["by"], "deliver", tongue)
    lines = look(settings, lambda: plan(site, to, *period, every=every), tongue)
    if len(lines) > MOST:
        fail(say("redeliver-many", tongue, destination=to, most=MOST), UNUSABLE)
    if lines and send:
        (lines,) = write(settings, script(site, to, lines, every=every, **decided), tongue=tongue)
    sent = [line for line in lines if line.fate in SENT]
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=2))
    else:
        from zoneinfo import ZoneInfo

        from rich.table import Table

        from labmw.watch.spoken import moment

        zone = ZoneInfo(settings.site.timezone)  # the period is given in it, too
        heads = ("outbox-specimen", "alert-test", "alert-value", "redeliver-delivered", "redeliver-what")
        table = Table("#", *(say(head, tongue) for head in heads))
        for line in lines:
            fate = say(line.fate, tongue, destination=to, theirs=line.theirs)
            table.add_row(
                str(line.outbox), line.specimen, line.test, line.value, moment(line.delivered_at, zone)[:16], fate
            )
        if lines:
            console().print(table)
        facts = {"destination": to, "count": len(lines), "sent": len(sent)}
        messages = len({(line.outbox, line.fate) for line in sent})
        code = "redeliver-done" if send else "redeliver-planned"
        typer.echo(say(code, tongue, **facts, **({"messages": messages} if send else {})))
    raise typer.Exit(0 if lines else UNKNOWN)


def _say_routed(one: Routed, to: str, tongue: Language) -> None:
    facts = {"entry": one.entry, "destination": to}
    if one.anew is None:
        typer.echo(say("outbox-routed-there", tongue, count=one.there, **facts))
    else:
        typer.echo(say("outbox-routed", tongue, anew=one.anew, count=one.results, **facts))


def _known(settings: Config, destination: str, tongue: Language) -> None:
    if destination not in settings.destinations:
        known = ", ".join(settings.destinations) or "–"
        fail(say("outbox-no-destination", tongue, destination=destination or "–", known=known), UNUSABLE)


def _decide(settings: Config, script: Transaction[Any], tongue: Language) -> Any:
    from labmw.delivery.mending import NotNow, Overtaken, TakenBack

    try:
        return write(settings, script, tongue=tongue)[0]
    except Overtaken as problem:
        facts = {"later": problem.later, "test": problem.test, "specimen": problem.specimen}
        fail(say("outbox-overtaken", tongue, entry=problem.entry, **facts), UNKNOWN)
    except TakenBack as problem:
        facts = {"test": problem.test, "specimen": problem.specimen}
        fail(say("outbox-taken-back", tongue, entry=problem.entry, **facts), UNKNOWN)
    except NotNow as problem:
        state = say(f"outbox-is-{problem.state}", tongue) if problem.state != "not known" else ""
        code = "outbox-not-now" if state else "outbox-unknown"
        fail(say(code, tongue, entry=problem.entry, state=state), UNKNOWN)


def _whole(site: str, entry: int) -> Transaction[tuple[Row | None, list[Row], list[Row]]]:
    from labmw.store.statements.mending import outbox_entry, refusals_of, results_carried

    rows = yield outbox_entry(site, entry)
    return (rows[0] if rows else None), (yield results_carried(entry)), (yield refusals_of(entry))


def _lines(data: bytes | None, identity: bool) -> list[str]:
    from labmw.watch.veil import Veil

    if data is None:
        return []
    shown = bytes(data) if identity else Veil().over(bytes(data))
    return [line for line in shown.decode("utf-8", "backslashreplace").replace("\n", "\r").split("\r") if line]
