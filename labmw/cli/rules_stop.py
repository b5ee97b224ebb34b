"""labmw rules stop, resume, stops: what is not let go by itself just now?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.house import decide, rights_of
from labmw.cli.options import ByOption, ConfigOption, JsonOption, LanguageOption, configuration, fail, language_of
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config

STOPPED = 1

AnalyzerOption = Annotated[str, typer.Option("--analyzer", help="A link by its name.", show_default=False)]
AnalyteOption = Annotated[str, typer.Option("--analyte", help="A test by its LOINC code.", show_default=False)]
RuleOption = Annotated[str, typer.Option("--rule", help="A rule as verdicts name it: pack/RULE.", show_default=False)]
SiteOption = Annotated[bool, typer.Option("--site", help="Everything.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", "--why", help="The reason; it goes into the audit.", show_default=False)
]


def stop(
    reason: ReasonOption,
    analyzer: AnalyzerOption = "",
    analyte: AnalyteOption = "",
    rule: RuleOption = "",
    site: SiteOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Stop automatic release of an analyzer, a test, whatever a rule judges, or everything; it works with the next verdict.

    What has left stays where it is; people go on releasing by name.

    Exit codes: 0 stopped, 1 no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import Decision
    from labmw.lab.stopping import stop as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    scope, target = _meant(settings, analyzer, analyte, rule, site, tongue)
    decision = Decision(settings.site.id, now(), who(by), reason_given(reason, tongue))
    decide(settings, script(decision, rights_of(settings), scope, target), tongue)
    typer.echo(say(f"stop-done-{scope}", tongue, target=target, by=decision.by))


def resume(
    reason: ReasonOption,
    analyzer: AnalyzerOption = "",
    analyte: AnalyteOption = "",
    rule: RuleOption = "",
    site: SiteOption = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Let automatic release go on: the first person asks, the second one, another, lets it go on.

    Exit codes: 0 asked for, or going on, 1 not stopped, the same person twice, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import Decision
    from labmw.lab.stopping import resume as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    scope, target = _meant(settings, analyzer, analyte, rule, site, tongue)
    decision = Decision(settings.site.id, now(), who(by), reason_given(reason, tongue))
    said = decide(settings, script(decision, rights_of(settings), scope, target), tongue)
    typer.echo(say(f"stop-{said}", tongue, target=target or settings.site.id, by=decision.by))


def stops(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List what is stopped, oldest first.

    Exit codes: 0 nothing is, 1 something is, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.store.statements.stops import stops_open
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    rows = look(settings, lambda: ask(stops_open(settings.site.id)), tongue)
    if as_json:
        typer.echo(
            json.dumps(
                {"schema": "labmw-stops/1", "stops": [row.mapping() for row in rows]}, ensure_ascii=False, indent=2
            )
        )
    else:
        for row in rows:
            facts = {
                "target": row.target or "–",
                "by": row.stopped_by,
                "at": moment(row.stopped_at, zone),
                "why": row.reason,
            }
            line = say(f"stopped-{row.scope}", tongue, **facts)
            if row.asked_by:
                line += " " + say("stop-half", tongue, by=row.asked_by)
            typer.echo(line)
        typer.echo(say("stop-counted", tongue, count=len(rows)))
    raise typer.Exit(STOPPED if rows else 0)


def _meant(settings: Config, analyzer: str, analyte: str, rule: str, site: bool, tongue: Language) -> tuple[str, str]:
    """The one thing that is meant; an analyzer must be one of the configuration, a test a LOINC code, so that no stop misses by a typing mistake."""
    from difflib import get_close_matches

    from rules.vocabulary import is_loinc

    given = [
        (scope, target) for scope, target in (("analyzer", analyzer), ("analyte", analyte), ("rule", rule)) if target
    ]
    given += [("site", "")] if site else []
    if len(given) != 1:
        fail(say("stop-one", tongue), UNUSABLE)
    [(scope, target)] = given
    if scope == "analyzer" and target not in {link.name for link in settings.link}:
        known = ", ".join(link.name for link in settings.link)
        fail(say("stop-no-analyzer", tongue, target=target, known=known), UNUSABLE)
    if scope == "analyte" and not is_loinc(target):
        fail(say("stop-no-test", tongue, target=target), UNUSABLE)
    if scope == "rule" and target not in (known_rules := _rules(settings)):
        near = ", ".join(get_close_matches(target, known_rules, n=3)) or "–"
        fail(say("stop-no-rule", tongue, target=target, near=near), UNUSABLE)
    return scope, target


def _rules(settings: Config) -> list[str]:
    """The rules that judge now, as verdicts name them."""
    from labmw.watch.inspection import packs_of

    return [f"{pack.id}/{rule.id}" for pack in packs_of(settings)[0].active for rule in pack.rules]
