"""labmw order: what was ordered of which analyzer, and what became of it?"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.house import require, told
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
from labmw.cli.writing import look, now, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row, Transaction

UNKNOWN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
Awos = Annotated[str, typer.Argument(help="The order's identity on the analyzer (AWOS).", show_default=False)]


class Which(StrEnum):
    """Which orders are listed."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"
    ALL = "all"


@app.callback()
def order() -> None:
    """Show what was ordered of which analyzer, and take it back or ask again."""


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A specimen's identifier, or an AWOS.", show_default=False)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show every test ordered on a specimen: its AWOS on each analyzer, state, times and what it has brought.

    Works whether or not labmw runs. Exit codes: 0 something is known, 1 nothing is known, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.order_view import draw
    from labmw.clock import SYSTEM
    from labmw.watch.orders import of_specimen

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    found = look(settings, lambda: of_specimen(settings.site.id, what.strip(), SYSTEM.now()), tongue)
    if found is None:
        fail(say("order-unknown", tongue, what=what.strip()), UNKNOWN)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        draw(console(), found, tongue, ZoneInfo(settings.site.timezone))


@app.command("list")
def list_(
    which: Annotated[Which, typer.Option("--state", help="Which orders.")] = Which.OPEN,
    pending: Annotated[
        bool, typer.Option("--pending", help="What nobody has a result of yet, the most urgent and oldest first.")
    ] = False,
    late: Annotated[bool, typer.Option("--late", help="Only what was ordered too long ago (orders.late).")] = False,
    minutes: Annotated[
        int | None,
        typer.Option("--minutes", min=1, help="With --late: how long ago.", show_default=False),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="How many at most.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List ordered tests, each with its stage: expected, tube seen, queried, sent, running, resulted, released.

    Beside it since when, on which analyzer, and where the tube was last seen. Open orders, newest first, unless told otherwise.

    Exit codes: 0, also when there is none; 2 wrong usage, or the configuration or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.order_view import draw_list
    from labmw.clock import SYSTEM
    from labmw.watch import stages

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site, moment = settings.site.id, SYSTEM.now()
    before = stages.limits(settings.orders, moment, minutes) if late or minutes else ("", "")
    states = [one.value for one in Which if one is not Which.ALL] if which is Which.ALL else [which.value]
    if pending:
        found = look(settings, lambda: stages.pending(site, most, moment, before), tongue)
    else:
        found = look(settings, lambda: stages.listed(site, states, most, moment, before), tongue)
    if as_json:
        orders = [one.as_json() for one in found]
        typer.echo(json.dumps({"schema": "labmw-order-list/2", "orders": orders}, ensure_ascii=False, indent=2))
    else:
        draw_list(console(), found, tongue, ZoneInfo(settings.site.timezone), moment)


@app.command()
def cancel(awos: Awos, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None) -> None:
    """Take one AWOS back: the analyzer is asked to cancel it, and answers whether it could.

    Exit codes: 0 asked for, 1 unknown, nothing to cancel, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab import awos as states

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    require(settings, who(by), "order", tongue)
    row = _named(settings, awos, tongue)
    if row.state not in states.LIVE:
        fail(say("order-not-live", tongue, awos=row.awos, state=say(f"awos-state-{row.state}", tongue)), UNKNOWN)
    write(settings, _cancel(settings.site.id, row, who(by)), tongue=tongue)
    typer.echo(say("order-taken-back", tongue, awos=row.awos, test=row.test_name or row.code, specimen=row.specimen))


@app.command()
def again(awos: Awos, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None) -> None:
    """Ask the same analyzer for the same test once more, under a new AWOS.

    An analyzer that keeps a worklist is told at once; another gets it when it asks for the tube.

    Exit codes: 0 asked for, 1 unknown, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    require(settings, who(by), "order", tongue, "rerun")
    row = _named(settings, awos, tongue)
    if row.order is None:
        from labmw.lab.awos import is_child

        child = is_child(row.awos)
        fail(say("order-by-analyzer" if child else "order-again-control", tongue, **row.mapping()), UNKNOWN)
    (name,) = write(settings, _again(settings, row, who(by), tongue), tongue=tongue)
    facts = {"awos": row.awos, "test": row.test_name or row.code, "specimen": row.specimen, "again": name}
    typer.echo(say("order-again", tongue, **facts))


def _named(settings: Config, awos: str, tongue: Language) -> Row:
    from labmw.store.statements import worklist as stored
    from labmw.store.transaction import ask

    rows = look(settings, lambda: ask(stored.awos_named(settings.site.id, [awos.strip()])), tongue)
    if not rows:
        fail(say("order-unknown", tongue, what=awos.strip()), UNKNOWN)
    row: Row = rows[0]
    return row


def _cancel(site: str, row: Row, by: str) -> Transaction[None]:
    from labmw.lab import awos as states
    from labmw.lab.steps import cancel_step

    at = now()
    yield from cancel_step(row, states.ASKED, at)
    yield from _audit(site, "order-cancelled", row, by, at)


def _again(settings: Config, row: Row, by: str, tongue: Language) -> Transaction[str]:
    from labmw.lab.planning import rerun
    from labmw.store.statements import orders_among

    at = now()
    if not any(one.name == row.link for one in settings.link):
        fail(say("order-link-gone", tongue, link=row.link), UNKNOWN)
    link = told(settings).get(row.link)  # as the daemon sees it: with the codes of the site's mapping
    orders = [one for one in (yield orders_among(settings.site.id, [row.specimen])) if one.id == row.order]
    if link is None or not any(link.code_of(one) for one in orders):
        fail(say("order-link-cannot", tongue, link=row.link, test=row.test_name or row.code), UNKNOWN)
    name = yield from rerun(settings.site.id, link, row, at)
    yield from _audit(settings.site.id, "order-again", row, by, at)
    return name


def _audit(site: str, what: str, row: Row, by: str, at: str) -> Transaction[None]:
    from labmw.store import schema, statements

    yield statements.insert(schema.audit, site=site, at=at, who=by, what=what, subject=f"awos/{row.awos}")
