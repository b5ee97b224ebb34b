"""labmw hl7: does a message keep to LAW, LTW or ILW, and what stands in its fields?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from labmw.cli.hl7_file import read_file
from labmw.cli.options import JsonOption, LanguageOption, console, language_of
from protocols.errors import Hl7Error
from protocols.hl7 import charset
from protocols.hl7.check import Deviation, check, profile_of, sound
from protocols.hl7.er7 import Message

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
        help="Messages: bare, in a batch, in MLLP blocks, or recorded (.wire).",
        show_default=False,
    ),
]


def _usable(encoding: str) -> str:
    try:
        return charset.usable(encoding) if encoding else ""
    except Hl7Error as error:
        raise typer.BadParameter(str(error)) from None


EncodingOption = Annotated[
    str,
    typer.Option(callback=_usable, help="Character set of the text, in place of MSH-18.", show_default=False),
]

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def hl7() -> None:
    """Check HL7 messages against LAW, LTW or ILW, and show them with field names."""


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
        contents = read_file(file, encoding)
        checked = [(message, *_checked(message, profile)) for message in contents.messages]
        good = good and not contents.problems and all(sound(found) for _, _, found in checked)
        problems = [problem.sentence(str(file), tongue) for problem in contents.problems]
        if as_json:
            shown.append(deviations_as_json(str(file), problems, checked, tongue))
        else:
            print_deviations(console(), str(file), problems, checked, tongue)
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
        contents = read_file(file, encoding)
        good = good and not contents.problems
        for problem in contents.problems:
            typer.echo(problem.sentence(str(file), tongue), err=True)
        for message in contents.messages:
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


def _print_json(shown: list[dict[str, Any]]) -> None:
    from labmw.cli.decode import print_json

    for one in shown:
        print_json(one, pretty=len(shown) == 1)
