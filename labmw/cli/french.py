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
from pathlib import Path
from typing import NamedTuple

from labmw.cli.tongue import FIXED

_FOLDER = Path(__file__).parents[1] / "phrases" / "help"  # by its path: importlib.resources takes 20 ms to import
_BEHIND = "  ["  # typer puts [default: 5; required] behind a help, after two spaces
_WHOLE = 48  # characters of what stands between the brackets that are kept on one line
_BEFORE_SIGN = re.compile(r" (?=[:;?!»%](?:\s|$))|(?<=«) ")
_NAME = re.compile(r"<[\w \[\]]+>|(?<![\w-])\w+(?![\w-])")


class French(NamedTuple):
    """The French of a command's help: its texts, what typer says of it, and the names of arguments."""

    texts: dict[str, str]
    templates: tuple[tuple[str, str], ...]
    words: dict[str, str]

    def said(self, english: str) -> str:
        """One text in French; the English where there is none."""
        known = self.texts.get(normal(english))
        if known is not None:
            return known
        for template, french in self.templates:
            if (found := between(template, english)) is not None:
                return french.format_map({name: self._part(name, text) for name, text in found.items()})
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
    templates = tuple((english, told) for english, told in usage.items() if "{" in english)
    return French(texts, templates, {str(name): str(told) for name, told in _table("names").items()})


def pairs(name: str) -> dict[str, str]:
    """English and French of one file, the English as it is looked up; nothing where there is no such file."""
    texts = _table(name).get("text", [])
    return {normal(one["en"]): _BEFORE_SIGN.sub(FIXED, normal(one["fr"])) for one in texts}


def normal(text: str) -> str:
    """A text as it is looked up: however its lines are broken."""
    return " ".join(text.split())


def between(template: str, english: str) -> dict[str, str] | None:
    """What stands in place of each `{…}`, with or without the point at the end; None where typer says something else."""
    parts = re.split(r"\{(\w+)\}", template.removesuffix("."))
    if not all(one in english for one in parts[::2]):  # before an expression is compiled for nothing
        return None
    wanted = "".join(f"(?P<{one}>.+?)" if n % 2 else re.escape(one) for n, one in enumerate(parts))
    found = re.fullmatch(wanted + r"\.?", english)
    return found.groupdict() if found else None


def _table(name: str) -> dict[str, list[dict[str, str]]]:
    page = _FOLDER / f"{name}.toml"
    return tomllib.loads(page.read_text(encoding="utf-8")) if page.is_file() else {}
