"""labmw result list: which results wait for a person, and why?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, language_of
from labmw.cli.writing import UNUSABLE, look
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.store import Row

WAITS = 1
MOST = 500  # rows; who has more than that has another problem, and is told how many


def list_(
    held: Annotated[
        bool, typer.Option("--held", help="What waits for a person: this is what is listed anyway.")
    ] = True,
    technical: Annotated[
        bool, typer.Option("--technical", help="Only what is technically validated and waits for a biologist.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the results that wait for a person, each with every reason; critical and urgent ones first, then the oldest.

    Exit codes: 0 none waits, 1 some do, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.store.statements.deciding import results_undecided
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    rows = look(settings, lambda: ask(results_undecided(settings.site.id, limit=MOST)), tongue)
    shown = [row for row in rows if not technical or row.state == "technical"]
    if as_json:
        told = [_told(row, tongue) for row in shown]
        typer.echo(json.dumps({"schema": "labmw-held/1", "results": told}, ensure_ascii=False, indent=2))
    else:
        for row in shown:
            one = _told(row, tongue)
            since = say("held-since", tongue, at=moment(row.received_at, zone))
            marks = [
                say(f"held-{mark}", tongue) for mark, on in (("critical", one["critical"]), ("stat", one["stat"])) if on
            ]
            head = f"#{row.id}  {row.specimen}  {one['test']}  {one['value']}"
            typer.echo("  ".join([head, *marks]))
            typer.echo(f"    {one['sentence']}, {since}")
            for why in one["why"]:
                typer.echo(f"    - {why}")
        typer.echo(say("held-counted" if len(rows) < MOST else "held-counted-most", tongue, count=len(shown)))
    raise typer.Exit(WAITS if shown else 0)


def _told(row: Row, tongue: Language) -> dict[str, Any]:
    reasons = json.loads(row.reasons) if row.reasons else []
    names = ("release", "comment", "review", "hold", "block")
    waits = "technical" if row.state == "technical" else names[row.level or 0]
    if row.state == "blocked":
        waits = "block"
    return {
        "number": row.id,
        "specimen": row.specimen,
        "patient": row.patient,
        "test": row.test_name or row.code,
        "loinc": row.loinc,
        "value": f"{row.value} {row.unit_raw}".strip(),
        "received_at": row.received_at,
        "priority": row.priority or "R",
        "stat": row.priority == "S",
        "critical": bool(row.critical),
        "state": row.state,
        "sentence": say(f"waits-{waits}", tongue),
        "decided_by": row.decided_by or "",
        "reasons": [one["code"] for one in reasons],
        "why": list(dict.fromkeys(sentence_of(one, tongue) for one in reasons)),
    }


def sentence_of(one: dict[str, Any], tongue: Language) -> str:
    """What a reason says: the rule's own words where it has some, else the catalogue's."""
    facts = {name: fact for name, fact in one["facts"].items() if isinstance(fact, str | int)}
    return str(facts.get(f"message_{tongue}") or say(one["code"], tongue, **facts))
