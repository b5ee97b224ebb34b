"""labmw link: what is the matter with one line?"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.link_listen import listen, record
from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.watch.finding import Finding

WRONG, USAGE = 1, 2
STYLES = {"error": "bold red", "warning": "yellow", "good": "green"}

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


app.command()(listen)
app.command()(record)


@app.callback()
def link() -> None:
    """Listen to a wire, record it, test the lines to analyzers and to the LIS."""


@app.command()
def test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A link of the configuration, or the name of the LIS.")],
    config: ConfigOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Dial an analyzer although labmw runs and may be connected to it.")
    ] = False,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Try one line step by step: host name, connection, TLS handshake, certificates and their dates. Nothing is sent.

    What labmw dials is dialled; of what it listens to, its own certificates are looked at.

    Exit codes: 0 nothing is wrong (there may be warnings), 1 something is, 2 wrong usage.
    """
    from labmw.watch.finding import Weight
    from labmw.watch.link_test import names_of, running

    settings = configuration(config, USAGE)
    tongue = language_of(settings, language)
    if name not in names_of(settings):
        fail(say("link-test-unknown", tongue, link=name, names=", ".join(names_of(settings)) or "-"), USAGE)
    busy = None if force else running(settings, name)
    findings = [busy] if busy else asyncio.run(_tested(settings, name))
    errors = sum(finding.weight is Weight.ERROR for finding in findings)
    if as_json:
        rows = [finding.row(tongue) for finding in findings]
        typer.echo(json.dumps({"link": name, "errors": errors, "findings": rows}, ensure_ascii=False, indent=2))
    else:
        _show(findings, tongue)
        typer.echo(say("link-test-bad" if errors else "link-test-good", tongue, link=name))
    raise typer.Exit(WRONG if errors else 0)


async def _tested(config: Config, name: str) -> list[Finding]:
    from labmw.clock import SYSTEM
    from labmw.watch.link_test import test

    return [finding async for finding in test(config, name, SYSTEM.now())]


def _show(findings: list[Finding], language: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for finding in findings:
        weight = Text(say(f"check-weight-{finding.weight.value}", language), STYLES[finding.weight.value])
        sentence = finding.sentence(language)
        grid.add_row(weight, Text(sentence[:1].upper() + sentence[1:]))
    console().print(grid)
