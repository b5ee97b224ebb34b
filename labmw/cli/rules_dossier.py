"""What belongs into the validation dossier of a pack? Everything that somebody who signs it, and somebody who inspects it, asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from labmw.cli import pack_words
from labmw.cli.trace_words import parts
from labmw.documents.paper import Paper, Section, Table
from labmw.phrases import Language, say
from rules.boundary import boundaries
from rules.coverage import coverage
from rules.difference import rule_facts
from rules.limits import KINDS
from rules.lint import lint
from rules.load import Pack
from rules.rule import apply
from rules.signature import Signature
from rules.subject import subject

if TYPE_CHECKING:
    from labmw.watch.indicators import Watched
    from rules.replay.comparison import Comparison
    from rules.replay.judge import Judged


FLIPS: Final = 40  # flipped results of each kind that are shown
_FIRST: Final[tuple[str, ...]] = ("check", "analytes", "verdict")


def dossier(
    pack: Pack,
    signatures: Sequence[Signature],
    replayed: Judged | None,
    language: Language,
    *,
    change: Comparison | None = None,
    watched: Sequence[Watched] = (),
) -> Paper:
    """Compose the dossier of one version of a pack; `change` is what a replay beside the packs in force has shown, `watched` what it said unseen."""

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
    if change is not None:
        sections.append(_change(change, language))
    if watched:
        sections.append(_watched(watched, language))
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
        facts = {name: text for name, text in rule_facts(rule).items() if text and not name.startswith("message.")}
        several: dict[str, str] = {name: facts.pop(name) for name in _FIRST if name in facts}
        facts.pop("kind", None)  # the check says it
        several |= facts
        told = "; ".join(
            pack_words.pair(pack_words.key(name, language), pack_words.value(name, text, language), language)
            for name, text in several.items()
        )
        rows.append((rule.id, told, rule.message[language]))
    columns = tuple(say(f"dossier-column-{name}", language) for name in ("rule", "keys", "sentence"))
    sources = tuple(f"{name}: {text}" for name, text in pack.sources.items())
    return Section(say("dossier-rules", language), sources, (Table(columns, tuple(rows)),))


def _limits(pack: Pack, language: Language) -> Section:
    rows = []
    for row in pack.limits.rows:
        spans = (pack_words.span(row.bounds[kind].low, row.bounds[kind].high, language) for kind in KINDS)
        age = (row.start.text, row.end.text if row.end else "")
        whom = pack_words.whom(row.sex, *age, row.ward, row.specimen, language)
        rows.append((row.analyte, row.unit, whom, *spans, row.source))
    first = tuple(say(f"dossier-column-{name}", language) for name in ("analyte", "unit", "whom"))
    columns = (*first, *(say(f"pack-span-{kind}", language) for kind in KINDS), say("dossier-column-source", language))
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


def _change(found: Comparison, language: Language) -> Section:
    """What leaves and what is kept, before and after, and which results flip."""
    figures = [
        ("held", found.held_before / found.results, found.held_after / found.results),
        ("whole", found.whole_before / found.specimens, found.whole_after / found.specimens),
        ("agree", found.agree_before, found.agree_after),
    ]
    rows = tuple(
        (say(f"rules-figure-{code}", language), *("–" if one is None else f"{one:.2%}" for one in sides))
        for code, *sides in figures
    )
    columns = tuple(say(f"rules-column-{name}", language) for name in ("figure", "before", "after"))
    said = [
        say("rules-flips-released", language, count=len(found.released)),
        say("rules-flips-held", language, count=len(found.held)),
    ]
    if found.released_though_stopped:
        said.append(say("rules-released-though-stopped", language, count=found.released_though_stopped))
    flips = [
        (row["specimen"], row["loinc"], _measured(row), say(f"dossier-now-{kind}", language))
        for kind, table in (("released", found.released), ("held", found.held))
        for row in table.head(FLIPS).iter_rows(named=True)
    ]
    named = tuple(say(f"rules-column-{name}", language) for name in ("specimen", "test", "value", "after"))
    tables = (Table(columns, rows), *([Table(named, tuple(flips))] if flips else ()))
    return Section(say("dossier-change", language), tuple(said), tables)


def _measured(row: Mapping[str, Any]) -> str:
    return f"{row['comparator']}{row['number']:g} {row['unit']}" if row["number"] is not None else str(row["value"])


def _watched(found: Sequence[Watched], language: Language) -> Section:
    """What the pack said while it was only watched."""
    said = []
    for one in found:
        facts = {"pack": one.pack, "results": one.results, "first": one.first[:10], "last": one.last[:10]}
        said += [
            say("shadow", language, **facts),
            say("dossier-shadow", language, held=f"{one.held / one.results:.2%}", would=f"{one.would_hold / one.results:.2%}"),
            say("shadow-flips-released", language, count=len(one.flips_released)),
            say("shadow-flips-held", language, count=len(one.flips_held)),
        ]  # fmt: skip
    return Section(say("dossier-watched", language), tuple(said))
