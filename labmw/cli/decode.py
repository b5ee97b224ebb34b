"""`labmw decode`: what do captures say, read as a live line would read them? No daemon, no store, nothing is answered or kept."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from labmw.cli.decoder import Decoder
from labmw.cli.network_file import captures, gap_told
from labmw.cli.options import JsonOption, Tongue
from labmw.cli.render import Decoded, print_table, to_json
from labmw.driver.declaration import Driver
from labmw.errors import DriverError
from labmw.line.registry import Registry
from labmw.phrases import Language

_BESIDE = (".expected.json", ".orig.txt", ".transcript.json", ".orig.json")  # what lies beside a capture and is none
_NEITHER = frozenset({"manifest.toml", "README", "README.md"})


def decode(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Captures, or folders of captures.")],
    driver: Annotated[str, typer.Option("--driver", help="Read with this driver, whatever the header says.")] = "",
    as_json: JsonOption = False,
    encoding: Annotated[str, typer.Option(help="Character set of the text, in place of the driver's.")] = "",
    timezone: Annotated[str, typer.Option(help="The analyzer's time zone.")] = "Europe/Paris",
    language: Annotated[
        Tongue | None,
        typer.Option("--language", "-l", help="Language of the reasons; your own when not given.", show_default=False),
    ] = None,
    drivers: Annotated[Path | None, typer.Option(help="A folder of the laboratory's own driver files.")] = None,
) -> None:
    """Show what captures say, through the driver that their header names or --driver.

    Framed captures (ASTM, MLLP), bare records or segments, .wire recordings and recordings of the network (.pcap) are told apart by their content. The driver's
    tolerances apply as on a live line; those that were needed are named. Content of a damaged frame is shown, marked refused.

    With --json: one object per file in the schema labmw-corpus/1, indented for one file, one line each for several.

    Exit code: 0 everything was read (also what would go to quarantine), 1 something would have been refused, 2 wrong usage.
    """
    registry = Registry.find([drivers] if drivers else [])
    named = chosen(registry, driver)
    zone = zone_of(timezone)
    spoken = _language(language)
    _check_encoding(encoding)
    files = list(_files(paths))
    if not files:
        raise typer.BadParameter(f"there is no capture in {', '.join(str(path) for path in paths)}", param_hint="FILE")
    decoder = Decoder(registry, named, zone, encoding)
    sound = True
    console = None
    for path, decoded, alone in _decoded(decoder, files, spoken):
        sound = sound and decoded.sound
        if named is not None and decoded.messages and decoded.protocol != named.protocol:
            typer.echo(
                f"{path}: --driver {named.name} reads {named.protocol} and this is {decoded.protocol}: its header chose the driver",
                err=True,
            )
        if as_json:
            print_json(to_json(decoded, spoken), pretty=alone)
        else:
            if console is None:
                from rich.console import Console

                if isinstance(sys.stdout, io.TextIOWrapper):
                    sys.stdout.reconfigure(errors="replace")
                console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
            print_table(decoded, console, spoken)
    for file, error in registry.broken.items():
        typer.echo(f"driver file not used: {error}" if file else str(error), err=True)
    raise typer.Exit(0 if sound else 1)


def _decoded(decoder: Decoder, files: list[Path], language: Language) -> Iterator[tuple[Path, Decoded, bool]]:
    """Each capture of each file, and whether it is the only one."""
    for path in files:
        found = captures(decoder, path, lambda one: typer.echo(gap_told(one, language), err=True))
        for one in found:
            yield path, one, len(files) == len(found) == 1


def print_json(shown: dict[str, Any], *, pretty: bool) -> None:
    """Print one object, on one line unless it is the only one; bytes without meaning in the character set become escapes."""
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    text = json.dumps(shown, ensure_ascii=plain, indent=2 if pretty else None)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _files(paths: list[Path]) -> Iterator[Path]:
    """Yield files in order; folders are walked sorted, links to folders are not followed."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    if name not in _NEITHER and not name.startswith(".") and not name.endswith(_BESIDE):
                        file = Path(folder) / name
                        if file.is_file():
                            yield file
        elif path.exists():
            if len(paths) == 1 or not path.name.endswith(_BESIDE):  # a pattern of the shell names them too
                yield path
        else:
            raise typer.BadParameter(f"there is no file {path}", param_hint="FILE")


def chosen(registry: Registry, name: str) -> Driver | None:
    """The driver of this name, None for no name; ends the command when there is none."""
    if not name:
        return None
    try:
        return registry.named(name)
    except DriverError as error:
        raise typer.BadParameter(str(error), param_hint="--driver") from None


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name; ends the command when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name!r} is not a time zone, such as Europe/Paris", param_hint="--timezone"
        ) from None


def _language(wanted: Tongue | None) -> Language:
    """The language asked for, else that of the person at the screen."""
    if wanted is None:
        said = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        return "fr" if said.lower().startswith("fr") else "en"
    return "fr" if wanted is Tongue.FR else "en"


def _check_encoding(name: str) -> None:
    try:
        "".encode(name or "latin-1")
    except LookupError:
        raise typer.BadParameter(
            f"{name!r} is not a character set, such as latin-1 or utf-8", param_hint="--encoding"
        ) from None
