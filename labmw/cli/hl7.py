"""labmw hl7: does a message keep to LAW, LTW or ILW, and what stands in its fields?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from labmw.cli.options import JsonOption, LanguageOption, console, language_of
from labmw.phrases import Language, say
from protocols.errors import MllpError, ProtocolError
from protocols.hl7.check import Deviation, Severity, check, profile_of
from protocols.hl7.er7 import Message, split_batch
from protocols.hl7.mllp import Block, MllpReader

UNSOUND = 1


class Profile(StrEnum):
    """The profiles of IHE that labmw knows."""

    LAW = "law"
    LTW = "ltw"
    ILW = "ilw"


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        exists=True,
        dir_okay=False,
        readable=True,
        help="Messages: bare, in a batch, or in MLLP blocks.",
        show_default=False,
    ),
]
EncodingOption = Annotated[str, typer.Option(help="Character set of the text, in place of MSH-18.", show_default=False)]

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def hl7() -> None:
    """Check HL7 messages against LAW, LTW or ILW, and show them with field names."""


def messages_of(data: bytes, encoding: str = "") -> list[Message]:
    """The messages of a file: bare, in a batch, or in MLLP blocks.

    Raises: ProtocolError when it holds none, or one cannot be read.
    """
    wanted = encoding or None
    if not data.startswith(b"\x0b"):
        return split_batch(data, wanted)
    reader = MllpReader()
    events = reader.receive(data) + reader.hang_up()
    broken = [event for event in events if not isinstance(event, Block)]
    if broken:
        raise MllpError(f"the MLLP blocks are not whole ({type(broken[0]).__name__}): record the session again")
    return [Message.parse(event.data, wanted) for event in events if isinstance(event, Block)]


@app.command(name="check")
def check_files(
    files: Files,
    profile: Annotated[
        Profile | None,
        typer.Option(
            "--profile",
            "-p",
            help="The profile; when not given, what each message seems to follow.",
            show_default=False,
        ),
    ] = None,
    encoding: EncodingOption = "",
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Tell every deviation of messages from a profile, with segment, field, rule and source.

    Errors break a rule, warnings will trouble a receiver, notes are for the reader.

    Exit codes: 0 no errors, 1 errors or a file that cannot be read, 2 wrong usage.
    """
    from labmw.cli.hl7_view import deviations_as_json, print_deviations

    tongue = language_of(None, language)
    shown: list[dict[str, Any]] = []
    good = True
    for file in files:
        messages, problem = _read(file, encoding)
        good = good and not problem
        checked = [(message, *_checked(message, profile)) for message in messages]
        good = good and not any(item.severity is Severity.ERROR for _, _, found in checked for item in found)
        if as_json:
            shown.append(deviations_as_json(str(file), problem, checked, tongue))
        else:
            print_deviations(console(), str(file), problem, checked, tongue)
    if as_json:
        _print_json(shown)
    raise typer.Exit(0 if good else UNSOUND)


@app.command()
def show(
    files: Files, encoding: EncodingOption = "", as_json: JsonOption = False, language: LanguageOption = None
) -> None:
    """Show messages segment by segment, in the groups of their structure, with the name of every field that is filled.

    Exit codes: 0 shown, 1 a file cannot be read, 2 wrong usage.
    """
    from labmw.cli.hl7_view import message_as_json, print_message

    tongue = language_of(None, language)
    shown: list[dict[str, Any]] = []
    good = True
    for file in files:
        messages, problem = _read(file, encoding)
        good = good and not problem
        if problem:
            typer.echo(_unreadable(file, problem, tongue), err=True)
        for message in messages:
            if as_json:
                shown.append(message_as_json(str(file), message))
            else:
                print_message(console(), message)
    if as_json:
        _print_json(shown)
    raise typer.Exit(0 if good else UNSOUND)


def _checked(message: Message, profile: Profile | None) -> tuple[str, list[Deviation]]:
    chosen = profile.value if profile else profile_of(message)
    return chosen, check(message, chosen)


def _read(file: Path, encoding: str) -> tuple[list[Message], str]:
    try:
        messages = messages_of(file.read_bytes(), encoding)
    except (ProtocolError, OSError) as error:
        return [], str(error)
    return messages, "" if messages else "the file holds no message: HL7 starts with MSH"


def _unreadable(file: Path, problem: str, language: Language) -> str:
    return say("hl7-unreadable", language, file=file, problem=problem)


def _print_json(shown: list[dict[str, Any]]) -> None:
    from labmw.cli.decode import print_json

    for one in shown:
        print_json(one, pretty=len(shown) == 1)
