"""labmw interlab demo: forty tubes between two laboratories, played against two real daemons and counted from both sides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import JsonOption, LanguageOption, console, fail, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from rich.console import Console

    from labmw.cli.interlab.demo_count import Counted
    from labmw.cli.interlab.demo_stage import Stage

WRONG, FAILED = 1, 2
ENVELOPES = ("mllp", "hprim")


def demo(
    out: Annotated[Path, typer.Option(help="The folder to work in; emptied first if it is a demonstration's.")] = Path(
        "build/demo-interlab"
    ),
    envelope: Annotated[
        str, typer.Option("--envelope", help="mllp, hprim, or both one after the other.", show_default=True)
    ] = "both",
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Play forty sub-orders between two laboratories that both run labmw: over mutual TLS, and then over HPRIM files.

    B accepts, refuses, gives back, reports in part, corrects, and sends its reports along; A's information system takes some back. The count holds both
    stores, both wires and the LIS against the plan. The folder stays: A's and B's configurations are a.toml and b.toml in it.

    Exit codes: 0 every tube is accounted for and every planted case ended where it must; 1 something is not; 2 it could not be played.
    """
    from labmw.cli.interlab import demo_play, demo_stage
    from labmw.cli.interlab.demo_count import count
    from labmw.errors import LabmwError

    tongue = language_of(None, language)
    if envelope not in (*ENVELOPES, "both"):
        fail(say("interlab-demo-envelope", tongue, envelope=envelope), FAILED)
    paper = console(stderr=as_json)
    told = []
    for place, one in enumerate(ENVELOPES if envelope == "both" else (envelope,)):
        try:
            stage = demo_stage.set_up(out, one, tongue, fresh=place == 0)
            paper.print(
                say(f"interlab-demo-begins-{one}", tongue, folder=stage.folder, count=len(stage.plan)), style="bold"
            )
            demo_play.play(stage, lambda code: paper.print(f"  {say(code, tongue)}", style="dim"))
            counted = count(stage)
        except (LabmwError, OSError) as error:
            fail(str(error), FAILED)
        _draw(paper, counted, tongue)
        told.append((stage, counted))
    if as_json:
        typer.echo(json.dumps([_row(stage, counted) for stage, counted in told], ensure_ascii=False, indent=2))
    well = all(counted.well for _, counted in told)
    paper.print(
        say("interlab-demo-well" if well else "interlab-demo-ill", tongue), style="bold green" if well else "bold red"
    )
    _look_around(paper, told[0][0], tongue)
    raise typer.Exit(0 if well else WRONG)


def _draw(paper: Console, counted: Counted, language: Language) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "case", "tubes", "a", "b", "result", "documents", "lis"):
        table.add_column(say(f"interlab-demo-{name}", language) if name else "", overflow="fold")
    cases: dict[str, list[int]] = {}
    for place, one in enumerate(counted.tubes):
        cases.setdefault(one.case, []).append(place)
    for case, places in cases.items():
        tubes = [counted.tubes[place] for place in places]
        well = not any(one.problems for one in tubes)
        mark = Text("✓", "bold green") if well else Text("✗", "bold red")
        a, b = (Counter(one.a for one in tubes), Counter(one.b for one in tubes))
        released = Counter(one.result for one in tubes if one.result)
        table.add_row(
            mark, case, str(len(tubes)), _states(a, language), _states(b, language),
            ", ".join(f"{n} {say(f'state-{state}', language)}" for state, n in released.items()) or "–",
            str(sum(one.documents for one in tubes)), str(sum(len(one.lis) for one in tubes)),
        )  # fmt: skip
    paper.print(table)
    wires = {
        "sent": counted.a_to_b[0],
        "received": counted.a_to_b[1],
        "back": counted.b_to_a[0],
        "returned": counted.b_to_a[1],
    }
    paper.print(Text(say("interlab-demo-wires", language, **wires), "dim"))
    for one in counted.tubes:
        for problem in one.problems:
            paper.print(Text(f"  ✗ {one.tube} ({one.case}): {problem}", "bold red"))
    for wire in counted.wires:
        paper.print(Text(f"  ✗ {wire}", "bold red"))


def _states(states: Counter[str], language: Language) -> str:
    return ", ".join(f"{n} {say(f'interlab-state-{state}', language) if state else '–'}" for state, n in states.items())


def _row(stage: Stage, counted: Counted) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "schema": "labmw-interlab-demo/1",
        "envelope": stage.envelope,
        "well": counted.well,
        "messages": {"a_to_b": counted.a_to_b, "b_to_a": counted.b_to_a},
        "wires": counted.wires,
        "tubes": [asdict(one) for one in counted.tubes],
    }


def _look_around(paper: Console, stage: Stage, language: Language) -> None:
    paper.print()
    paper.print(say("demo-look", language))
    corrected = next((one["tube"] for one in stage.plan if one["case"] == "corrected"), "")
    for side, command in (
        ("a", "interlab partners"), ("a", "interlab late"), ("a", "interlab orders"), ("b", "interlab orders"), ("a", f"result show {corrected}"),
        ("a", "interlab reconcile"),
    ):  # fmt: skip
        paper.print(f"  LABMW_CONFIG={stage.config(side)} .venv/bin/labmw {command}", soft_wrap=True)
