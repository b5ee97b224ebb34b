"""Which options do several commands share, and how does a command end that cannot do its work?"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from labmw.cli.tongue import of_help, terminal
from labmw.config import Config, load
from labmw.errors import ConfigError
from labmw.phrases import Language, said, say

if TYPE_CHECKING:
    from rich.console import Console

PIPED = 100  # columns of what goes into a file or another program


class Tongue(StrEnum):
    """A language of the catalogue."""

    EN = "en"
    FR = "fr"


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="LABMW_CONFIG", help="The configuration file.", show_default=False),
]
LanguageOption = Annotated[
    Tongue | None,
    typer.Option(
        "--language",
        "-l",
        help="Language of the sentences; when not given the site's, else the terminal's.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def fail(sentence: str, code: int) -> NoReturn:
    """End with a sentence on standard error."""
    typer.echo(f"labmw: {sentence}", err=True)
    raise typer.Exit(code)


def configuration(path: Path | None, code: int) -> Config:
    """Load the configuration, or end with the sentence that says what is wrong with it."""
    if path is None:
        fail(say("config-none", terminal()), code)
    try:
        return load(path)
    except ConfigError as error:
        fail(said(error, of_help(sys.argv[1:])), code)  # what is said in which language stands in what cannot be read


def language_of(config: Config | None, wanted: Tongue | None) -> Language:
    """The language asked for, else the site's, else that of the terminal."""
    if wanted is not None:
        return "fr" if wanted is Tongue.FR else "en"
    if config is not None:
        return config.site.language
    return terminal()


def console(*, stderr: bool = False) -> Console:
    """Where tables go: as wide as the terminal; 100 columns, without colours, when piped."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(highlight=False, stderr=stderr, width=None if terminal else PIPED)


WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the audit.", show_default=False)]
ByOption = Annotated[
    str | None,
    typer.Option("--by", help="Who decides; when not given, the user who is logged in.", show_default=False),
]
