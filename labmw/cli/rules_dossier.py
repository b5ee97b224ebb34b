"""What belongs into the validation dossier of a pack? Everything that somebody who signs it, and somebody who inspects it, asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from labmw.cli.trace_words import parts
from labmw.documents.paper import Paper, Section, Table
from labmw.phrases import Language, say
from rules.boundary import boundaries
from rules.coverage import coverage
from rules.difference import rule_facts
from rules.limits import NUMERIC
from rules.lint import lint
from rules.load import Pack
from rules.rule import apply
from rules.signature import Signature
from rules.subject import subject

if TYPE_CHECKING:
    from rules.replay.judge import Judged


def dossier(pack: Pack, signatures: Sequence[Signature], replayed: Judged | None, language: Language) -> Paper:
    """Compose the dossier of one version of a pack."""

    def t(code: str, **facts: object) -> str:
        return say(f"dossier-{code}", language, **facts)

    sections = [
        _identity(pack, signatures, language),
        _tests(pack, language),
        _limits(pack, language),
        _examples(pack, language),
        _boundaries(pack, language),
        _coverage(pack, language),
        Section(t("remarks"), tuple(f"{one.where}: {say(one.code, language, **dict(one.facts))}" for one in lint(pack)) or (t("none"),)),
    ]  # fmt: skip
    if replayed is not None:
        sections.append(_replay(replayed, language))
    return Paper(
        t("title", pack=pack.title[language]), f"{pack.id} {pack.version} · {pack.hash}", language, tuple(sections)
    )


def _identity(pack: Pack, signatures: Sequence[Signature], language: Language) -> Section:
    own = [one for one in signatures if (one.pack, one.version, one.hash) == (pack.id, pack.version, pack.hash)]
    rows = tuple(
        (say(f"rules-state-{one.step}", language), f"{one.who}, {one.second}" if one.second else one.who, one.role, one.since.isoformat(), one.reason)
        for one in own
    )  # fmt: skip
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("step", "who", "role", "at", "reason"))
    said = [
        say("dossier-authors", language, authors=", ".join(pack.authors) or "-"),
        say("dossier-hash", language, hash=pack.hash),
        say("dossier-signed" if own else "dossier-unsigned", language, count=len(own)),
    ]
    for name in ("protocols", "exceptions"):
        if several := getattr(own[-1], name) if own else ():
            said.append(say(f"dossier-{name}", language, names=", ".join(several)))
    return Section(say("dossier-identity", language), tuple(said), (Table(columns, rows),) if rows else ())


def _tests(pack: Pack, language: Language) -> Section:
    rows = []
    for rule in pack.rules:
        facts = {key: value for key, value in rule_facts(rule).items() if value and not key.startswith("message.")}
        told = "; ".join(f"{key} = {value}" for key, value in facts.items())
        rows.append((rule.id, told, rule.message[language]))
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("rule", "keys", "sentence"))
    sources = tuple(f"{name}: {text}" for name, text in pack.sources.items())
    return Section(say("dossier-rules", language), sources, (Table(columns, tuple(rows)),))


def _limits(pack: Pack, language: Language) -> Section:
    rows = []
    for row in pack.limits.rows:
        ends = []
        for name in NUMERIC:
            kind, _, end = name.partition("_")
            value = row.bounds[kind].low if end == "lo" else row.bounds[kind].high
            ends.append("" if value is None else str(value))
        age = f"{row.start.text}-{row.end.text if row.end else ''}"
        rows.append((row.analyte, row.unit, f"{row.sex} {age} {row.ward} {row.specimen}", *ends, row.source))
    first = tuple(say(f"dossier-column-{name}", language) for name in ("analyte", "unit", "whom"))
    columns = (*first, *NUMERIC, say("dossier-column-source", language))
    return Section(say("dossier-limits", language), (), (Table(columns, tuple(rows)),) if rows else ())


def _examples(pack: Pack, language: Language) -> Section:
    rows = []
    for rule, example in pack.examples:
        words = pack.analytes[example.alias].words
        outcome = apply(rule, subject(example.case), pack.limits.of(example.case.result.loinc), words)
        expected, found = (say(f"level-{one.name.lower()}", language) for one in (example.expect, outcome.level))
        compared = "; ".join(parts(outcome.word, outcome.detail, language, ZoneInfo("UTC")))
        rows.append((rule.id, example.name, expected, found, compared))
    columns = tuple(
        say(f"dossier-column-{name}", language) for name in ("rule", "example", "expected", "found", "compared")
    )
    return Section(say("dossier-examples", language), (), (Table(columns, tuple(rows)),))


def _boundaries(pack: Pack, language: Language) -> Section:
    made = list(boundaries(pack))
    failed = tuple((one.rule, one.row, one.value, one.expected, one.found) for one in made if not one.holds)
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("rule", "row", "value", "expected", "found"))
    said = say("dossier-boundary-count", language, count=len(made), failed=len(failed))
    return Section(say("dossier-boundaries", language), (said,), (Table(columns, failed),) if failed else ())


def _coverage(pack: Pack, language: Language) -> Section:
    rows = tuple(
        (
            one.rule,
            one.condition or "-",
            ", ".join(f"{say(f'way-{way}', language)} {count}" for way, count in one.seen.items()),
            ", ".join(say(f"way-{way}", language) for way in one.never) or "-",
        )
        for one in coverage(pack)
    )
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("rule", "condition", "seen", "never"))
    return Section(say("dossier-coverage", language), (), (Table(columns, rows),))


def _replay(judged: Judged, language: Language) -> Section:
    import polars as pl

    from rules.replay.comparison import sole

    alone = sole(judged)
    hits = judged.table.select((pl.col(name) > 0).sum().alias(name) for name in judged.rules).row(0)
    rows = tuple((name, str(count), str(alone[name])) for name, count in zip(judged.rules, hits, strict=True))
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("rule", "hits", "alone"))
    said = say("dossier-replay-rate", language, results=len(judged.table), held=f"{judged.hold_rate:.2%}")
    left = tuple(say("rules-not-replayed", language, rule=rule, check=check) for rule, check in judged.skipped.items())
    return Section(say("dossier-replay", language), (said, *left), (Table(columns, rows),))
