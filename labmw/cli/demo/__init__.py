"""labmw demo: a morning in the laboratory, played against the real daemon and counted from three sides."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import JsonOption, LanguageOption, console, fail, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from rich.console import Console

    from labmw.cli.demo.count import Count
    from labmw.cli.demo.sides import Sides
    from labmw.cli.demo.stage import Stage

WRONG, FAILED = 1, 2


class Break(StrEnum):
    """What can be broken on purpose."""

    ACK_FIRST = "ack-first"


def demo(
    broken: Annotated[
        Break | None,
        typer.Option(
            "--break",
            help="Break labmw on purpose: acknowledge before the commit, and kill it in the middle.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another morning: other patients and values.", show_default=False, min=0)
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to work in; emptied first if it is a demo's.")] = Path(
        "build/demo"
    ),
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Leave the folder behind for a look around.")] = True,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Play a morning: five simulated analyzers, a LIS that is away for a while, about 350 results, some of them planted.

    The daemon is the real one, on a fresh store. At the end three independent sides are counted: what the simulators sent, SQL on the
    store, and what the LIS has received. The folder stays: look around with labmw status and labmw result show.

    With --json the count goes to standard output and everything else to standard error.

    With --break ack-first the same count must find lost results, and names them.

    Exit codes: 0 nothing lost, nothing twice, every planted case where it must be; 1 something is not; 2 the demo could not be played.
    """
    from labmw.cli.demo import perform, stage, table
    from labmw.cli.demo.count import count
    from labmw.cli.demo.sides import read
    from labmw.cli.demo.watching import watch
    from labmw.errors import LabmwError

    tongue = language_of(None, language)
    paper = console(stderr=as_json)
    try:
        set_up = stage.set_up(out, seed, tongue)
        paper.print(say("demo-begins" if broken is None else "demo-begins-broken", tongue, folder=out))
        with watch(paper, set_up.ordered, tongue) as watching:
            (perform.play if broken is None else perform.play_broken)(set_up, watching)
        sides = read(set_up.report, set_up.store)
    except (LabmwError, OSError) as error:
        fail(str(error), FAILED)
    counted = count(sides)
    table.show(paper, sides, counted, tongue)
    if as_json:
        typer.echo(json.dumps(table.row(counted), ensure_ascii=False, indent=2))
    _conclude(paper, counted, tongue, on_purpose=broken is not None)
    if keep:
        _look_around(paper, set_up, sides, tongue)
    else:
        stage.remove(out)
    raise typer.Exit(0 if counted.well else WRONG)


def _conclude(paper: Console, counted: Count, language: Language, *, on_purpose: bool) -> None:
    code = "demo-well" if counted.well else "demo-ill"
    if on_purpose:
        code = "demo-broken-found" if counted.lost else "demo-broken-missed"
    wrong = sum(not outcome.well for outcome in counted.outcomes)
    style = "bold green" if counted.well else "bold red"
    text = say(code, language, sent=counted.total.sent, lost=len(counted.lost), twice=len(counted.twice), wrong=wrong)
    paper.print(text, style=style)


def _look_around(paper: Console, stage: Stage, sides: Sides, language: Language) -> None:
    """Say what to type next, with identifiers that are worth it."""
    paper.print()
    paper.print(say("demo-look", language))
    commands = ["labmw status"]
    stored = {row.specimen for row in sides.stored}
    commands += [
        f"labmw result show {case.specimen}    # {case.case}" for case in sides.planted if case.specimen in stored
    ]
    commands += [f"labmw order show {one.specimen}" for one in sides.given[:1]]
    for command in commands:
        paper.print(f"  LABMW_CONFIG={stage.config} .venv/bin/{command}", soft_wrap=True)
