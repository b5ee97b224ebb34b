"""`labmw link replay`: what became of each record of a capture, and what would labmw answer? No line is opened, and no store."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import JsonOption, LanguageOption, fail, language_of
from labmw.phrases import Language, said, say

if TYPE_CHECKING:
    from labmw.cli.decoder import Decoder
    from labmw.cli.render import Decoded
    from labmw.driver.reading import Facts

REFUSED, USAGE = 1, 2


def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A capture: framed, bare, .wire or .pcap.", show_default=False)
    ],
    driver: Annotated[str, typer.Option("--driver", help="Read with this driver, whatever the header says.")] = "",
    worklist: Annotated[
        Path | None,
        typer.Option(
            "--worklist", metavar="TOML", help="What there is to do; queries are then answered.", show_default=False
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="How an IHE LAW analyzer's family speaks it.")] = "generic",
    timezone: Annotated[str, typer.Option(help="The analyzer's time zone.")] = "Europe/Paris",
    drivers: Annotated[
        Path | None, typer.Option(help="A folder of the laboratory's own driver files.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Records shown at most; --json has them all.")] = 5000,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show each record of a capture, what it became, in red what has no place, and the answer that labmw would give to a query.

    The capture is read as a live line would read it; a recording of the network (.pcap) is taken apart into its connections first.

    Exit codes: 0 everything was read (also what would go to quarantine), 1 something would have been refused, 2 wrong usage.
    """
    from labmw.cli.decode import chosen, print_json, zone_of
    from labmw.cli.decoder import Decoder
    from labmw.cli.replay_view import draw
    from labmw.cli.replaying import Replay, as_json_of
    from labmw.cli.worklist_file import read_worklist
    from labmw.clock import SYSTEM
    from labmw.errors import WorklistError
    from labmw.line.registry import Registry
    from protocols.hl7.profile import PERSONALITIES

    tongue = language_of(None, language)
    if not file.exists() or file.is_dir():
        fail(say("replay-folder" if file.is_dir() else "replay-no-file", tongue, file=str(file)), USAGE)
    if profile not in PERSONALITIES:
        fail(say("replay-no-profile", tongue, profile=profile, names=", ".join(PERSONALITIES)), USAGE)
    zone = zone_of(timezone)
    registry = Registry.find([drivers] if drivers else [])
    for problem in registry.broken.values():
        typer.echo(str(problem), err=True)
    try:
        work = read_worklist(worklist) if worklist is not None else None
    except WorklistError as error:
        fail(said(error, tongue), USAGE)
    plan = Replay(zone, SYSTEM.now(), work, PERSONALITIES[profile])
    captures = _captures(Decoder(registry, chosen(registry, driver), zone), file, tongue)
    found = [(decoded, plan.of(decoded)) for decoded in captures]
    if as_json:
        rows = [
            as_json_of(decoded, replayed, lambda code, facts: _say(code, facts, tongue)) for decoded, replayed in found
        ]
        print_json({"schema": "labmw-replay/1", "captures": rows}, pretty=True)
    else:
        from rich.console import Console

        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
        for decoded, replayed in found:
            draw(console, decoded, replayed, tongue, answers=work is not None, most=most)
    raise typer.Exit(0 if all(decoded.sound for decoded, _ in found) else REFUSED)


def _captures(decoder: Decoder, file: Path, language: Language) -> list[Decoded]:
    """What the file holds; ends the command where a recording of the network gives nothing to replay."""
    from labmw.cli.network_file import captures, gap_told

    found = captures(decoder, file, lambda one: typer.echo(gap_told(one, language), err=True))
    first = found[0]
    if first.framing == "pcap":
        told = _say(first.refused, first.refused_facts, language)
        fail(told, REFUSED if first.refused == "replay-empty" else USAGE)
    return found


def _say(code: str, facts: Facts, language: Language) -> str:
    return say(code, language, **dict(facts))
