"""labmw link: what is the matter with one line, and what would it make of a capture?"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.link_accept import accept
from labmw.cli.link_compare import compare
from labmw.cli.link_listen import listen, record
from labmw.cli.link_trace import trace
from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.replay import replay
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config, Link
    from labmw.watch.finding import Finding
    from labmw.watch.line_trial import Plain

WRONG, USAGE = 1, 2
STYLES = {"error": "bold red", "warning": "yellow", "good": "green"}

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


app.command()(listen)
app.command()(record)
app.command()(replay)
app.command()(trace)
app.command()(accept)
app.command()(compare)


@app.callback()
def link() -> None:
    """Listen to a wire, record it, replay it, follow what passes, test the lines to analyzers and to the LIS."""


@app.command()
def test(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A link, the LIS, a partner or another receiver, as the configuration names it."
        ),
    ],
    config: ConfigOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Dial an analyzer although labmw runs and may be connected to it.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", help="How long an analyzer's line is listened to.")] = 5.0,
    call: Annotated[
        bool,
        typer.Option("--call/--no-call", help="Call the analyzer (ENQ) when it has said nothing; else only listen."),
    ] = True,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Try one line step by step: host name, connection, TLS handshake, certificates; then what an analyzer says, and whether it answers.

    What labmw dials is dialled. A line in service is not touched. Of an analyzer's line, what arrives is read: nothing, a wrong speed or parity,
    a call without answer, a second host, a device server that cuts frames. At most ENQ, EOT and NAK are sent, never an ACK: nothing can be lost.
    A link that is neither ASTM nor HL7 is only listened to: whether its blocks are whole, their check right, and the link set to what is spoken.

    Exit codes: 0 nothing is wrong (there may be warnings), 1 something is, 2 wrong usage.
    """
    from labmw.watch.finding import Weight
    from labmw.watch.link_trial import lines_of, running

    settings = configuration(config, USAGE)
    tongue = language_of(settings, language)
    if name not in lines_of(settings):
        fail(say("link-test-unknown", tongue, link=name, names=", ".join(lines_of(settings)) or "-"), USAGE)
    busy = None if force else running(settings, name)
    findings = [busy] if busy else asyncio.run(_tested(settings, name, seconds, call))
    errors = sum(finding.weight is Weight.ERROR for finding in findings)
    if as_json:
        rows = [finding.row(tongue) for finding in findings]
        typer.echo(json.dumps({"link": name, "errors": errors, "findings": rows}, ensure_ascii=False, indent=2))
    else:
        _show(findings, tongue)
        served = any(finding.code == "wire-held" for finding in findings)
        ending = "link-test-refused" if served else "link-test-bad" if errors else "link-test-good"
        typer.echo(say(ending, tongue, link=name))
    raise typer.Exit(WRONG if errors else 0)


async def _tested(config: Config, name: str, seconds: float, call: bool) -> list[Finding]:
    """The steps to the other side, then what it says: of a line that is not reached nothing more is asked."""
    from labmw.clock import SYSTEM
    from labmw.watch.finding import Weight
    from labmw.watch.line_trial import in_service, speak
    from labmw.watch.link_trial import test

    found = [finding async for finding in test(config, name, SYSTEM.now())]
    link = next((one for one in config.link if one.name == name), None)
    reached = all(one.weight is not Weight.ERROR for one in found)
    if (
        link is None or link.protocol in ("hl7", "law") or not reached or (link.tls and link.listen)
    ):  # a handshake cannot be overheard
        return found
    held = in_service(config, link)
    if held is None:
        plain = _plain(config, link)
        found += [finding async for finding in speak(link, listen=seconds, call=call, plain=plain)]
    elif link.serial:  # of a port that labmw listens on it was said above
        found.append(held)
    return found


def _plain(config: Config, link: Link) -> Plain | None:
    """What a line that is neither ASTM nor HL7 is read with: its driver's settings, and its own over them."""
    from labmw.errors import DriverError
    from labmw.line.plain import plain_of
    from labmw.line.registry import Registry

    registry = Registry.find([config.drivers.folder] if config.drivers.folder else [])
    try:
        driver = registry.named(link.driver) if link.driver != "auto" else None
    except DriverError:
        driver = None  # labmw check says so
    return plain_of(link, driver)


def _begun(sentence: str, name: str) -> str:
    """A sentence with a capital, unless it begins with a name: a link is called as the configuration calls it."""
    named = sentence.startswith((name, "labmw"))
    return sentence if named else sentence[:1].upper() + sentence[1:]


def _show(findings: list[Finding], language: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for finding in findings:
        weight = Text(say(f"check-weight-{finding.weight.value}", language), STYLES[finding.weight.value])
        grid.add_row(weight, Text(_begun(finding.sentence(language), finding.subject)))
    console().print(grid)
