"""labmw link compare: what would labmw have released on a tap, and what did the incumbent?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.unopened_file import why_not
from labmw.cli.writing import UNUSABLE, look
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.lab.tapped import Ours, Pair
    from labmw.store import Row

DIFFERENT = 1
SHOWN = 200  # pairs in the table; the JSON has all
GRAVE = frozenset({"only-we-release", "other-value", "unread", "only-theirs"})
LARGEST = 2**20


def compare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A link with tap = true.", show_default=False)],
    decisions: Annotated[
        Path,
        typer.Option(
            "--decisions",
            help="CSV of the incumbent: specimen, test, value, decision (released or held), completed.",
            show_default=False,
        ),
    ],
    since: Annotated[
        str, typer.Option("--since", help="Only what came since, like 2026-12-01.", show_default=False)
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Show agreements too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Compare labmw's verdicts on a tap with what the incumbent decided, result by result, the gravest difference first.

    Exit codes: 0 nothing that labmw would have done worse; 1 it would have released what was held, read another value, or missed something;
    2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.clock import stamp
    from labmw.errors import LabmwError
    from labmw.lab import tapped
    from labmw.store.statements import taps
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    names = [link.name for link in settings.link if link.tap]
    if name not in names:
        fail(say("tap-unknown", tongue, link=name, names=", ".join(names) or "-"), UNUSABLE)
    try:
        begins = datetime.fromisoformat(since) if since else datetime(1970, 1, 1)
    except ValueError:
        raise typer.BadParameter("write it like 2026-12-01 or 2026-12-01T08:00", param_hint="--since") from None
    if begins.tzinfo is None:
        begins = begins.replace(tzinfo=ZoneInfo(settings.site.timezone))
    try:
        with decisions.open("rb") as file:
            theirs = tapped.read_decisions(str(decisions), file.read(LARGEST + 1))
    except OSError as problem:
        fail(say("draft-unreadable", tongue, file=decisions, problem=why_not(problem, tongue)), UNUSABLE)
    except LabmwError as problem:
        fail(str(problem), UNUSABLE)
    rows = look(settings, lambda: ask(taps.heard_on(settings.site.id, name, stamp(begins))), tongue)
    pairs = tapped.compare(_ours(rows), theirs)
    counts = tapped.counted(pairs)
    if as_json:
        told = [_row(pair, tongue) for pair in pairs]
        typer.echo(
            json.dumps(
                {"schema": "labmw-tap/1", "link": name, "counts": counts, "pairs": told}, ensure_ascii=False, indent=2
            )
        )
    else:
        for outcome, count in counts.items():
            typer.echo(f"{count:>7}  {say(f'tap-{outcome}', tongue)}")
        _draw([pair for pair in pairs if every or not pair.outcome.startswith("both-")], tongue)
    raise typer.Exit(DIFFERENT if any(counts[outcome] for outcome in GRAVE) else 0)  # type: ignore[index]


def _ours(rows: list[Row]) -> list[Ours]:
    """The newest verdict of each result, without the reason that it is a tap."""
    from labmw.lab.tapped import TAPPED, Ours

    found: dict[int, Ours] = {}
    for row in rows:
        reasons = [one for one in json.loads(row.reasons or "[]") if one["rule"] != TAPPED]
        against = tuple((one["code"], one["facts"]) for one in reasons if one["level"] not in ("release", "comment"))
        released = row.reasons is not None and not against and row.state != "quarantined"
        found[row.id] = Ours(
            row.id, row.specimen, row.code, row.loinc, row.value, row.completed_raw, row.state, released, against
        )
    return list(found.values())


def _row(pair: Pair, tongue: Language) -> dict[str, object]:
    ours, theirs = pair.ours, pair.theirs
    return {
        "outcome": pair.outcome,
        "specimen": ours.specimen if ours else theirs.specimen if theirs else "",
        "test": ours.code if ours else theirs.test if theirs else "",
        "ours": ours.value if ours else None,
        "theirs": theirs.value if theirs else None,
        "line": theirs.line if theirs else None,
        "result": ours.result if ours else None,
        "why": [
            say(code, tongue, **{name: value for name, value in facts.items() if isinstance(value, str | int)})
            for code, facts in ours.reasons
        ]
        if ours
        else [],
    }


def _draw(pairs: list[Pair], tongue: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    if not pairs:
        return
    table = Table(box=None, pad_edge=False)
    for head in ("outcome", "specimen", "test", "ours", "theirs", "why"):
        table.add_column(say(f"tap-column-{head}", tongue), overflow="fold")
    for pair in pairs[:SHOWN]:
        row = _row(pair, tongue)
        why = row["why"]
        assert isinstance(why, list)
        cells = (
            say(f"tap-short-{pair.outcome}", tongue),
            row["specimen"],
            row["test"],
            row["ours"],
            row["theirs"],
            why[0] if why else "",
        )
        table.add_row(*(Text(str(cell if cell is not None else "–")) for cell in cells))
    typer.echo("")
    console().print(table)
    if len(pairs) > SHOWN:
        typer.echo(say("tap-more", tongue, count=len(pairs) - SHOWN))
