"""Is every text of `labmw … --help` there in French too, and does the French say the same thing of the same options?

To add one: put the block that the first test prints into the file that it names, and write the French behind `fr =`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from labmw.cli import COMMANDS, load, root
from labmw.cli.french import normal

FOLDER = Path(__file__).parents[2] / "labmw" / "phrases" / "help"
COMMON, WORDS, ARGUMENTS = "common", "usage", "names"

MARKS = re.compile(
    r"`[^`]+`"  # commands
    r"|(?<![\w-])--?[a-z][a-z-]*"  # options
    r"|\{\w+\}|\[\w+\]"  # what stands in between, sections of the configuration
    r"|LABMW_\w+|RFC \d+|[\w-]*\.(?:wire|pcap|pdf|html|toml|json|csv|md)\b|\b[a-z]+\.[a-z]+ = \w+|\b[a-z]+\.[a-z_]+\b"
    r"|\d+(?:[-:.]\d+)*"  # exit codes, dates, numbers
)
"""What both languages must name alike."""
UNSPACED = re.compile(r"[^\s][;?!»](?:\s|$)|[^\s]:\s|«[^\s]")
ENGLISH = re.compile(r"\b(?:the|and|wrong|cannot|which|shows|with|when)\b", re.IGNORECASE)


def commands(command: Any) -> Iterator[Any]:
    """A command, and those below it."""
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from commands(one)


def texts_of(command: Any) -> set[str]:
    """Every paragraph that the help of a command, and of those below it, shows."""
    helps = [
        text for one in commands(command) for text in (one.help, *(getattr(two, "help", "") for two in one.params))
    ]
    return {normal(one) for text in helps if text for one in text.split("\n\n") if one.strip()}


@cache
def said() -> dict[str, set[str]]:
    """The English of each command of labmw; of `labmw` itself, what `labmw --help` shows."""
    top = texts_of(typer.main.get_command(root())) | set(COMMANDS.values())
    return {"labmw": top, **{name: texts_of(load(name)) for name in COMMANDS}}


def written(name: str) -> list[tuple[str, str]]:
    """English and French of a file, as it is written."""
    page = FOLDER / f"{name}.toml"
    table = tomllib.loads(page.read_text(encoding="utf-8")) if page.is_file() else {}
    for number, one in enumerate(table.get("text", []), start=1):
        assert one.keys() == {"en", "fr"}, f"{page.name}: text {number}: needs en and fr, and nothing else"
        assert one["fr"].strip(), f"{page.name}: {one['en']}: the French is empty"
    return [(one["en"], one["fr"]) for one in table.get("text", [])]


def lacking(name: str, english: set[str], french: set[str]) -> str:
    """What is to be added to the file of a command, as it stands there; empty where nothing is."""
    blocks = [f'[[text]]\nen = {json.dumps(one, ensure_ascii=False)}\nfr = ""\n' for one in sorted(english - french)]
    return (
        f"add to labmw/phrases/help/{name}.toml (or to common.toml), with the French:\n\n" + "\n".join(blocks)
        if blocks
        else ""
    )


def differing(english: str, french: str) -> str:
    """What one language names and the other does not; empty where they agree."""
    here, there = (Counter(MARKS.findall(text)) for text in (english, french))
    return ", ".join(sorted(set((here - there) + (there - here))))


# --- the texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["labmw", *COMMANDS])
def test_every_help_text_has_its_french(name: str) -> None:
    there = {normal(english) for page in (name, COMMON) for english, _ in written(page)}
    assert not (found := lacking(name, said()[name], there)), found


@pytest.mark.parametrize("name", ["labmw", *COMMANDS, COMMON])
def test_no_french_stays_of_an_english_text_that_is_gone(name: str) -> None:
    alive = said()[name] if name != COMMON else set().union(*said().values())
    gone = [english for english, _ in written(name) if normal(english) not in alive]
    assert not gone, f"labmw/phrases/help/{name}.toml: no help says this any more; mend or remove:\n" + "\n".join(gone)


@pytest.mark.parametrize("name", ["labmw", *COMMANDS, COMMON, WORDS])
def test_a_text_stands_once_and_says_the_same_in_both_languages(name: str) -> None:
    texts = written(name)
    beside = [] if name == COMMON else written(COMMON)
    twice = [one for one, count in Counter(english for english, _ in texts + beside).items() if count > 1]
    assert not twice, f"labmw/phrases/help/{name}.toml: there twice (perhaps in common.toml too): {twice}"
    wrong = [f"{found}\n  {en}\n  {fr}" for en, fr in texts if name != WORDS and (found := differing(en, fr))]
    assert not wrong, f"labmw/phrases/help/{name}.toml: one language alone names:\n" + "\n".join(wrong)
    for _, fr in texts:
        assert not ENGLISH.search(MARKS.sub("", fr)), f"labmw/phrases/help/{name}.toml: is this French? {fr}"
        assert "\u00a0" not in fr, f"labmw/phrases/help/{name}.toml: write a plain space, it is made fixed: {fr}"
        assert not UNSPACED.search(fr), f"labmw/phrases/help/{name}.toml: a space is missing before a sign: {fr}"


def test_what_typer_says_has_the_same_places_in_both_languages() -> None:
    for english, french in written(WORDS):
        places = set(re.findall(r"\{\w+\}", english)), set(re.findall(r"\{\w+\}", french))
        assert places[1] <= places[0], f"usage.toml: {french}: has a place that the English has not"


def test_every_file_belongs_to_a_command() -> None:
    assert {page.stem for page in FOLDER.iterdir()} == {"labmw", *COMMANDS, COMMON, WORDS, ARGUMENTS}


def test_every_argument_has_its_french_name() -> None:
    known = tomllib.loads((FOLDER / f"{ARGUMENTS}.toml").read_text(encoding="utf-8"))
    used = {
        word
        for name in COMMANDS
        for command in commands(load(name))
        for one in command.params
        if one.param_type_name == "argument"
        for word in re.findall(r"\w+", one.display_name_raw)
    }
    assert not used - known.keys(), (
        f"labmw/phrases/help/names.toml: give these arguments a French name: {used - known.keys()}"
    )
    assert not (gone := {name for name in known if name.islower() and name.isidentifier()} - used), (
        f"no argument has this name: {gone}"
    )


# --- the variants that break it ------------------------------------------------------------------------------------------


def test_a_new_text_and_a_changed_one_are_found() -> None:
    assert '[[text]]\nen = "Hold it."\nfr = ""' in lacking("outbox", {"Hold it.", "Let it go."}, {"Let it go."})
    assert "outbox.toml" in lacking("outbox", {"Hold it."}, set())
    assert lacking("outbox", {"Hold it."}, {"Hold it.", "More."}) == ""


@pytest.mark.parametrize(
    ("english", "french", "found"),
    [
        ("Give --why.", "Donner --raison.", "--raison, --why"),
        ("See `labmw outbox list`.", "Voir `labmw outbox liste`.", "`labmw outbox list`, `labmw outbox liste`"),
        ("Exit codes: 0 done, 1 not.", "Codes de retour : 0 fait, 2 non.", "1, 2"),
        ("See [roles].", "Voir la configuration.", "[roles]"),
        ("Only those of orders.late.", "Seulement ceux de orders.late.", ""),
    ],
)
def test_a_french_text_that_names_something_else_is_found(english: str, french: str, found: str) -> None:
    assert differing(english, french) == found
