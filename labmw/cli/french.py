"""What is the French of a help text, of an argument's name, and of what is said of a wrong usage?

`labmw/phrases/help/*.toml` hold it beside the English: one file per command of labmw, labmw.toml for the list of them,
and common.toml for what several say. Each `[[text]]` is one paragraph of a docstring or of a `help=`; how its lines are
broken does not matter. usage.toml holds what typer and pydantic say, `{…}` marking what stands in between; names.toml
the names of arguments. A text without French is shown in English; tests/house/test_help.py lets none pass.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from labmw.cli.help_page import FIXED

_BEHIND = "  ["  # typer puts [default: 5; required] behind a help, after two spaces
_WHOLE = 48  # characters of what stands between the brackets that are kept on one line
_BEFORE_SIGN = re.compile(r" (?=[:;?!»%](?:\s|$))|(?<=«) ")
_NAME = re.compile(r"<[\w \[\]]+>|(?<![\w-])\w+(?![\w-])")


class French(NamedTuple):
    """The French of a command's help: its texts, what typer says of it, and the names of arguments."""

    texts: dict[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]
    words: dict[str, str]

    def said(self, english: str) -> str:
        """One text in French; the English where there is none."""
        known = self.texts.get(normal(english))
        if known is not None:
            return known
        for pattern, french in self.patterns:
            if found := pattern.fullmatch(english):
                return french.format_map({name: self._part(name, text) for name, text in found.groupdict().items()})
        return english

    def help(self, english: str) -> str:
        """A help text in French, with what typer has put behind it."""
        body, mark, behind = english.rpartition(_BEHIND) if english.endswith("]") else (english, "", "")
        if not mark and english.startswith("[") and english.endswith("]"):
            body, mark, behind = "", "[", english[1:]
        told = "\n\n".join(self.said(one) for one in body.split("\n\n"))
        return f"{told}{mark}{self._behind(behind[:-1])}]" if mark else told

    def names(self, english: str) -> str:
        """Names of arguments and of kinds of values in French."""
        return _NAME.sub(lambda found: self.words.get(found[0], found[0]), english)

    def usage(self, english: str) -> str:
        """What is said of a wrong usage, line by line."""
        return "\n".join(self.said(line) for line in english.split("\n")).replace(FIXED, " ")

    def _behind(self, english: str) -> str:
        told = f"{FIXED}; ".join(self.said(one) for one in english.split("; "))
        return told.replace(" ", FIXED) if len(told) <= _WHOLE else told

    def _part(self, name: str, text: str) -> str:
        if name == "argument":
            return self.names(text)
        return self.said(text) if name == "problem" else text


@cache
def french(command: str) -> French:
    """The French of one command of labmw, and of what every command says; of `labmw` itself the list of commands."""
    texts: dict[str, str] = {}
    for name in ("common", command):
        texts |= pairs(name)
    usage = pairs("usage")
    texts |= {english: told for english, told in usage.items() if "{" not in english}
    patterns = tuple((pattern(english), told) for english, told in usage.items() if "{" in english)
    return French(texts, patterns, {str(name): str(told) for name, told in _table("names").items()})


def pairs(name: str) -> dict[str, str]:
    """English and French of one file, the English as it is looked up; nothing where there is no such file."""
    texts = _table(name).get("text", [])
    return {normal(one["en"]): _BEFORE_SIGN.sub(FIXED, normal(one["fr"])) for one in texts}


def normal(text: str) -> str:
    """A text as it is looked up: however its lines are broken."""
    return " ".join(text.split())


def pattern(english: str) -> re.Pattern[str]:
    """What typer says, with anything in place of `{…}`, and with or without the point at its end."""
    parts = re.split(r"\{(\w+)\}", english.removesuffix("."))
    return re.compile("".join(f"(?P<{one}>.+?)" if n % 2 else re.escape(one) for n, one in enumerate(parts)) + r"\.?")


def _table(name: str) -> dict[str, list[dict[str, str]]]:
    page = files("labmw.phrases").joinpath("help", f"{name}.toml")
    return tomllib.loads(page.read_text(encoding="utf-8")) if page.is_file() else {}
