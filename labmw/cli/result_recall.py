"""labmw result recall: what has left and would not leave today, and who has dealt with it?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import decide, require
from labmw.cli.options import ByOption, ConfigOption, JsonOption, LanguageOption, WhyOption, configuration, language_of
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who
from labmw.phrases import Language, codes, say

if TYPE_CHECKING:
    from labmw.lab.deciding import Decision
    from labmw.store import Row, Transaction

OPEN = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def recall() -> None:
    """Show what has left and is in doubt since; close an entry that was dealt with."""


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the results that have left and would not leave today, oldest first, each with what speaks against it.

    Nothing of it is taken back by itself: `labmw result withdraw` does that, or `recall close` says why it may stand.

    Exit codes: 0 none is open, 1 some are, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.store.statements.recalls import recalls_open
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    rows = look(settings, lambda: ask(recalls_open(settings.site.id)), tongue)
    told = [_told(row, tongue) for row in rows]
    if as_json:
        typer.echo(json.dumps({"schema": "labmw-recalls/1", "recalls": told}, ensure_ascii=False, indent=2))
    else:
        for row, one in zip(rows, told, strict=True):
            typer.echo(
                f"#{row.id}  {row.specimen}  {one['test']}  {one['value']}  ({say(f'state-{row.result_state}', tongue)})"
            )
            typer.echo(f"    {moment(row.raised_at, zone)}: {say(row.cause, tongue, **one['facts'])}")
            if one["why"]:
                typer.echo(f"    - {one['why']}")
        typer.echo(say("recall-counted", tongue, count=len(rows)))
    raise typer.Exit(OPEN if rows else 0)


@app.command()
def close(
    number: Annotated[int, typer.Argument(help="The entry's number, as `recall list` shows it.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Close an entry: say in --why what was done, or why the result may stand.

    Exit codes: 0 closed, 1 it is not open, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import Decision

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decision = Decision(settings.site.id, now(), who(by), reason_given(why, tongue))
    require(settings, decision.by, "recall", tongue)
    decide(settings, _close(decision, number), tongue)
    typer.echo(say("recall-noted", tongue, number=number, by=decision.by))


def _close(decision: Decision, number: int) -> Transaction[None]:
    from labmw.lab.rights import Undecidable
    from labmw.store.statements.audit import audited
    from labmw.store.statements.recalls import close_recall

    rows = yield close_recall(decision.site, number, at=decision.at, by=decision.by, why=decision.why)
    if not rows:
        raise Undecidable("recall-closed", number=number)
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="recall-closed", subject=f"result/{rows[0].result}",
        why=decision.why, entry=number,
    )  # fmt: skip


def _told(row: Row, tongue: Language) -> dict[str, Any]:
    facts = json.loads(row.facts)
    code = facts.get("code", "")
    why = str(facts.get(f"message_{tongue}") or (say(code, tongue, **facts) if code in codes() else ""))
    return {
        "number": row.id, "result": row.result, "specimen": row.specimen, "patient": row.patient, "test": row.test_name or row.code,
        "value": f"{row.value} {row.unit_raw}".strip(), "cause": row.cause, "facts": facts, "why": why if code != row.cause else "",
        "raised_at": row.raised_at, "state": row.result_state,
    }  # fmt: skip
