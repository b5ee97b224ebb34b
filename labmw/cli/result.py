"""labmw result: what happened to a result?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from labmw.cli.house import decide, require
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
from labmw.cli.result_decide import DECISIONS
from labmw.cli.result_list import list_
from labmw.cli.result_recall import app as recall_app
from labmw.phrases import say

UNKNOWN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def result() -> None:
    """Show the whole story of a result, from the wire to the LIS; list what waits for a person, decide about it, take one back."""


app.add_typer(recall_app, name="recall")
app.command("list")(list_)
for _name, _decision in DECISIONS.items():
    app.command(_name)(_decision)


@app.command()
def show(
    specimen: Annotated[str, typer.Argument(help="The specimen's identifier, as on the tube.", show_default=False)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
    every_byte: Annotated[bool, typer.Option("--bytes", help="Show every byte instead of one line per piece.")] = False,
    identity: Annotated[
        bool, typer.Option("--identity", help="Show the patient's name too; otherwise only the identifier.")
    ] = False,
) -> None:
    """Tell everything that happened to the results of one specimen: works whether or not labmw runs.

    Bytes on the wire, frames with their acknowledgments, records, how the driver read them, alerts, quarantine, the verdict with
    every rule that was asked, delivery and the LIS's answer, and retransmissions that were recognised.

    Exit codes: 0 something is known, 1 nothing is known of this specimen, 2 wrong usage, or the configuration or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.story import Manner, tell
    from labmw.cli.story_view import Drawing
    from labmw.errors import StoreError
    from labmw.store import open_reader
    from labmw.watch.evidence import alike, evidence
    from labmw.watch.spoken import some

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    wanted = specimen.strip()
    try:
        with open_reader(settings.store.url, key_file=settings.store.key_file) as reader:
            found = reader.look(lambda: evidence(settings.site.id, wanted))
            if not (found.story.results or found.story.specimens or found.story.orders):
                similar = some(reader.look(lambda: alike(settings.site.id, wanted)))
                fail(say("story-unknown", tongue, specimen=wanted, alike=similar), UNKNOWN)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    story = tell(wanted, found, Manner(tongue, zone, identity))
    if as_json:
        typer.echo(json.dumps(story, ensure_ascii=False, indent=2))
    else:
        Drawing(tongue, zone, every_byte).draw(console(), story)


@app.command()
def withdraw(
    number: Annotated[
        int, typer.Argument(help="The result's number, from `labmw result show --json`.", show_default=False)
    ],
    why: Annotated[str, typer.Option("--why", "--reason", help="What is wrong with it; the LIS is told.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Take back a result that the LIS has: it is told so, with who and why (OBX-11 X), and history forgets the value.

    Exit codes: 0 taken back, 1 unknown, not delivered, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.cli.writing import now, who
    from labmw.lab.withdrawing import withdraw as take_back

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if settings.lis is None:
        fail(say("lis-absent", tongue), UNUSABLE)
    if not why.strip():
        fail(say("withdraw-why", tongue), UNUSABLE)
    require(settings, who(by), "withdraw", tongue)
    doubt = decide(
        settings, take_back(settings.site.id, settings.lis.name, number, who(by), why.strip(), now()), tongue
    )
    if doubt is not None:
        facts = {name: say(f"state-{fact}", tongue) if name == "state" else fact for name, fact in doubt.facts}
        fail(say(doubt.reason, tongue, **facts), UNKNOWN)
    typer.echo(say("withdraw-done", tongue, result=number))
