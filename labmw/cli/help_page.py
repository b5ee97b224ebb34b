"""How does a page of help look, and what is said of a wrong usage, in the reader's language?

The French is loaded when a page is shown in French and never else: `labmw --help` answers at once in both languages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import IO, TYPE_CHECKING, Any

import typer

from labmw.cli.tongue import FIXED

if TYPE_CHECKING:
    from typer._click.formatting import HelpFormatter

    from labmw.cli.french import French
else:
    HelpFormatter = typer.Context.formatter_class

_SENTENCE = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)


class HelpPage(HelpFormatter):
    """A page of help: in French where the French is given, and lists of commands with whole sentences."""

    french: French | None = None
    _commands = False

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The line of usage."""
        if self.french is not None:
            prefix, args = f"{self.french.said('Usage:')} ", self.french.names(args)
        super().write_usage(prog, args, prefix)

    def write_heading(self, heading: str) -> None:
        """Arguments, Options, Commands."""
        self._commands = heading == "Commands"
        super().write_heading(heading if self.french is None else f"{self.french.said(heading)}{FIXED}")

    def write_text(self, text: str) -> None:
        """What a command does: paragraphs."""
        if self.french is not None:
            text = self.french.help(text)
        super().write_text(text)

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Arguments and options with their help; commands with the first sentence of theirs."""
        if self.french is not None:
            rows = [(self.french.names(name), self.french.help(text)) for name, text in rows]
        if self._commands:
            rows = [(name, _first_sentence(text)) for name, text in rows]
        super().write_dl(rows, col_max, col_spacing)

    def getvalue(self) -> str:
        """The page; spaces that must not break a line have done their work, and are plain ones for whoever copies it."""
        return super().getvalue().replace(FIXED, " ")


class Told(typer.Context):
    """A command as it was called; its help is in the reader's language."""

    def make_formatter(self) -> HelpPage:
        """An empty page in that language."""
        from labmw.cli.tongue import of_help

        page = HelpPage(width=self.terminal_width, max_width=self.max_content_width)
        if of_help(getattr(self.find_root().command, "words", ())) == "fr":
            from labmw.cli.french import french

            page.french = french(_noun(self))
        return page


def telling(command: Any) -> Any:
    """Let a command, and every command below it, show its help in the reader's language."""
    command.context_class = Told
    for one in getattr(command, "commands", {}).values():
        one.short_help = (one.help or "").split("\n\n")[0]  # whole, where typer would cut it after some words
        telling(one)
    return command


@contextmanager
def wrong_usage(words: Sequence[str]) -> Iterator[None]:
    """Say in the reader's language what is wrong with the words of a command line."""
    try:
        yield
    except Exception as error:
        if (
            getattr(type(error), "show", None) is typer.BadParameter.show
        ):  # of every wrong usage; pages of help have their own
            from labmw.cli.tongue import of_help

            if of_help(words) == "fr":
                error.show = _shown(error.show)  # type: ignore[attr-defined]
        raise


def _shown(plain: Any) -> Any:
    """What an error says, in French."""

    def show(file: IO[Any] | None = None) -> None:
        from labmw.cli.french import french

        english = StringIO()
        plain(english)
        typer.echo(french("").usage(english.getvalue()), file=file or sys.stderr, nl=False)

    return show


def _noun(context: Any) -> str:
    """The command of labmw to which a command belongs; `labmw` itself for the list of them."""
    while context.parent is not None and context.parent.parent is not None:
        context = context.parent
    return "labmw" if hasattr(context.command, "words") else context.command.name or ""


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(text)
    return found[0] if found else text
