"""labmw interlab: what was sent to other laboratories and asked by them, how far it is, and what a person does about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require
from labmw.cli.interlab import catalogue, shipping
from labmw.cli.interlab.by_hand import by_hand
from labmw.cli.interlab.demo import demo
from labmw.cli.interlab.reading import partner_known, save_documents
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
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.lab.lis_told import Doubt

SOME = 1
REFUSED = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(catalogue.app, name="catalogue")

Number = Annotated[
    str, typer.Argument(help="The sub-order's number, as labmw interlab orders shows it.", show_default=False)
]
PartnerOption = Annotated[str, typer.Option("--partner", help="Only this partner.", show_default=False)]


@app.callback()
def interlab() -> None:
    """Show and steer what goes to other laboratories and comes from them."""


@app.command()
def partners(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the partners: role, way, sub-orders that are open, late ones, and what is still to be said to them.

    Exit codes: 0 shown, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.interlab.view import draw_partners
    from labmw.lab.partner_watch import partners_now

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    found = look(settings, lambda: partners_now(settings.site.id, settings.partners, now()), tongue)
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in found], ensure_ascii=False, indent=2))
    else:
        draw_partners(console(), found, tongue)


@app.command()
def orders(
    partner: PartnerOption = "",
    state: Annotated[str, typer.Option("--state", help="Only those in this state.", show_default=False)] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List sub-orders, oldest first, with their state.

    Exit codes: 0 shown, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.interlab.view import draw_orders, order_as_json
    from labmw.store.statements.interlab import all_sub_orders
    from labmw.store.transaction import ask
    from protocols.hl7.ilw_states import State

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    states = [one.value for one in State]
    if state and state not in states:
        fail(say("interlab-no-state", tongue, state=state, states=", ".join(states)), UNUSABLE)
    rows = look(settings, lambda: ask(all_sub_orders(settings.site.id)), tongue)
    partner_known(settings, partner, rows, tongue)
    rows = [row for row in rows if partner in ("", row.partner) and state in ("", row.state)]
    if as_json:
        typer.echo(json.dumps([order_as_json(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        draw_orders(console(), rows, settings, tongue)


@app.command()
def show(
    number: Number,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write the partner's reports into this folder, as they came.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Tell everything that happened to a sub-order: what was said, when, by whom, and every version of its results.

    Exit codes: 0 shown, 1 not known, 2 wrong usage, or the store cannot be read or the folder written.
    """
    from labmw.cli.interlab.view import draw_story, story_as_json
    from labmw.lab.partner_watch import story_of

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    found = look(settings, lambda: story_of(settings.site.id, number.strip()), tongue)
    if not found:
        fail(say("interlab-no-such", tongue, order=number), SOME)
    if as_json:
        typer.echo(json.dumps([story_as_json(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            draw_story(console(), one, settings, tongue)
    if save is not None:
        save_documents(save, [document for one in found for document in one.documents], number.strip(), tongue)


@app.command()
def send(
    number: Annotated[
        str,
        typer.Argument(
            help="The sub-order's number, as labmw interlab orders shows it; with --to, the tube.", show_default=False
        ),
    ],
    to: Annotated[
        str,
        typer.Option("--to", help="Make sub-orders of tests of a tube for this partner.", show_default=False),
    ] = "",
    test: Annotated[
        list[str] | None,
        typer.Option("--test", help="With --to: a LOINC code; its battery goes along.", show_default=False),
    ] = None,
    item: Annotated[
        str,
        typer.Option("--item", help="Add this first: prescription, consent, or a question's code.", show_default=False),
    ] = "",
    text: Annotated[str, typer.Option("--text", help="The item in words.", show_default=False)] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="The item as a document (PDF).", show_default=False)
    ] = None,
    result: Annotated[
        int, typer.Option("--result", help="Release this held result to the laboratory that asked.", show_default=False)
    ] = 0,
    why: Annotated[
        str, typer.Option("--why", help="Why a held result may leave; it goes along.", show_default=False)
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Let a sub-order leave that waits, add what it lacks, or release a held result to whoever asked for it.

    With --to, tests that are open here or were given back go to a partner, whatever the routes say.

    Exit codes: 0 done, 1 refused, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab import partner_steps

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site, person = settings.site.id, who(by)
    require(settings, person, "biological" if result else "order", tongue)
    if to or test:
        by_hand(settings, to, number.strip(), tuple(test or ()), person, tongue)
        return
    if result:
        reason = reason_given(why, tongue)
        _done(
            write(settings, partner_steps.release_held(site, number, result, person, reason, now()), tongue=tongue),
            tongue,
        )
        typer.echo(say("interlab-released", tongue, order=number, result=result))
        return
    if item:
        try:
            data = file.read_bytes() if file else None
        except OSError as problem:
            fail(say("interlab-unreadable", tongue, file=file, problem=problem), UNUSABLE)
        if data is None and not text.strip():
            fail(say("interlab-item-empty", tongue, item=item), UNUSABLE)
        media = "application/pdf" if data is not None else ""
        step = partner_steps.add_item(site, number, item, text, data, media, person, now())
        _done(write(settings, step, tongue=tongue), tongue)
        typer.echo(say("interlab-item-added", tongue, order=number, item=item))
    _done(write(settings, partner_steps.send(site, number, person, now()), tongue=tongue), tongue)
    typer.echo(say("interlab-sent", tongue, order=number))


@app.command()
def cancel(
    number: Number,
    why: Annotated[str, typer.Option("--why", help="The reason; the partner is told.", show_default=False)] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Take a sub-order back. The partner is asked, unless it has never heard of it; one that we were asked for is given back.

    Exit codes: 0 said, 1 too late, not known, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.partner_steps import cancel as take_back

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    reason = reason_given(why, tongue)
    require(settings, who(by), "order", tongue)
    _done(write(settings, take_back(settings.site.id, number, who(by), reason, now()), tongue=tongue), tongue)
    typer.echo(say("interlab-cancelled", tongue, order=number))


@app.command()
def ship(
    partner: Annotated[str, typer.Argument(help="For whom the box is.", show_default=False)],
    tubes: Annotated[list[str] | None, typer.Argument(help="Barcodes of the tubes, as they are scanned in.")] = None,
    close: Annotated[
        bool, typer.Option("--close", help="The box leaves: sub-orders that wait for it are sent.")
    ] = False,
    temperature: Annotated[str, typer.Option("--temperature", help="Such as +4 or -20.")] = "",
    courier: Annotated[str, typer.Option("--courier", help="Who takes it.")] = "",
    tracking: Annotated[str, typer.Option("--tracking", help="Its tracking number.")] = "",
    aliquot: Annotated[
        str, typer.Option("--aliquot", help="The number on the tube that leaves, where the one named here stays.")
    ] = "",
    print_: Annotated[Path | None, typer.Option("--print", help="Write the packing list there, as PDF.")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Scan tubes into the open box for a partner, print its packing list, and close it; without tubes, show what is in it and what waits outside.

    The list goes to the partner with the sub-orders, tube by tube: see `shipment` among the choices of a partner.

    Exit codes: 0 done, 1 a tube has no sub-order for this partner, 2 wrong usage, or the store cannot be written.
    """
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    wanted = shipping.Shipment(
        partner, tuple(tubes or ()), close, temperature, courier, tracking, print_, as_json, aliquot
    )
    raise typer.Exit(shipping.ship(settings, wanted, who(by), tongue))


@app.command()
def receive(
    tubes: Annotated[list[str] | None, typer.Argument(help="Barcodes of the tubes that came.")] = None,
    box: Annotated[str, typer.Option("--box", help="The number on the box: they are checked against its list.")] = "",
    complete: Annotated[
        bool, typer.Option("--complete", help="The box is empty: what its list names and was not scanned is missing.")
    ] = False,
    partner: Annotated[
        str, typer.Option("--from", help="Who sent it, where the tubes or the box do not say so.", show_default=False)
    ] = "",
    non_conforming: Annotated[
        str,
        typer.Option(
            "--non-conforming", help="It cannot be used: a code of table 0490, such as RH.", show_default=False
        ),
    ] = "",
    why: Annotated[str, typer.Option("--why", help="What is wrong, in words.", show_default=False)] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Note that tubes of a requester are here, missing, or that they cannot be used: whoever sent them is told. Without tubes, list the boxes on their way.

    A tube that nobody asks for is kept, and received when its sub-order comes.

    Exit codes: 0 noted, 1 a tube is missing, or belongs to no open sub-order, 2 wrong usage, or the store cannot be written.
    """
    from labmw.cli.interlab import receiving

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    came = receiving.Arrival(tuple(tubes or ()), box.strip(), complete, partner, non_conforming, why, as_json)
    raise typer.Exit(receiving.receive(settings, came, by, tongue))


@app.command()
def late(
    partner: PartnerOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the sub-orders whose results are overdue, the longest first.

    Exit codes: 0 shown, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.interlab.view import draw_late, order_as_json
    from labmw.lab.partner_watch import late_now

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: late_now(settings.site.id, now()), tongue)
    partner_known(settings, partner, rows, tongue)
    rows = [row for row in rows if partner in ("", row.partner)]
    if as_json:
        typer.echo(json.dumps([order_as_json(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        draw_late(console(), rows, settings, tongue)


@app.command()
def reconcile(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look back.")] = 1,
    cap: Annotated[float, typer.Option("--cap", min=0, max=100, help="Percent of tests that may go elsewhere.")] = 15.0,
    partner: PartnerOption = "",
    resend: Annotated[
        str,
        typer.Option(
            "--resend-since", help="Send the partner again what it took since then (ISO 8601).", show_default=False
        ),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Hold against each other, partner by partner, what was ordered, which tubes were shipped and what came back; count what went elsewhere.

    Run it every day. Exit codes: 0 all agrees; 1 something is missing or the cap is reached; 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.interlab.view import draw_reconciliation
    from labmw.lab.partner_reconciliation import reconcile as hold
    from labmw.lab.partner_reconciliation import resend_since

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    partner_known(settings, partner, (), tongue)
    chosen = [one for one in settings.partners if partner in ("", one.name)]
    if resend:
        if not partner:
            fail(say("interlab-resend-whom", tongue), UNUSABLE)
        require(settings, who(), "deliver", tongue)
        since = _moment(resend, settings.site.timezone, tongue)
        (count,) = write(settings, resend_since(settings.site.id, partner, since, now()), tongue=tongue)
        typer.echo(say("interlab-resent", tongue, partner=partner, count=count))
        return
    found = look(settings, lambda: hold(settings.site.id, chosen, now(), days), tongue)
    if as_json:
        typer.echo(json.dumps(found.as_json(cap), ensure_ascii=False, indent=2))
    else:
        draw_reconciliation(console(), found, cap, tongue)
    raise typer.Exit(0 if found.well(cap) else SOME)


app.command()(demo)


def _moment(text: str, timezone: str, tongue: Language) -> str:
    """A moment typed by a person, in the site's time unless it says otherwise."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from labmw.clock import stamp

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(say("interlab-no-moment", tongue, text=text), UNUSABLE)
    return stamp(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone)))


def _done(answers: list[Any], tongue: Language) -> None:
    """End the command when the step was refused."""
    doubt: Doubt | None = answers[0]
    if doubt is not None:
        fail(say(doubt.reason, tongue, **dict(doubt.facts)), REFUSED)
