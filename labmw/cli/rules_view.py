"""How is what the rules commands have found shown? Tables for a person, in English and French."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.cli import pack_words
from labmw.cli.trace_words import guarded
from labmw.phrases import Language, codes, say
from labmw.watch.spoken import moment

if TYPE_CHECKING:
    import polars as pl

    from labmw.config import Config
    from labmw.store import Row
    from labmw.watch.indicators import Indicators, Watched
    from rules.boundary import Boundary
    from rules.coverage import Covered
    from rules.difference import Change
    from rules.replay.comparison import Comparison
    from rules.replay.tuning import Identity, Tuned

DECIDED = ("released", "stopped")
SHOWN = 12  # flipped results of each kind
SHOWN_BY = 24  # tests, wards, hours


def _table(language: Language, title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        table.add_column(
            say(f"rules-column-{name}", language), justify="right" if name in right else "left", overflow="fold"
        )
    return table


def _add(table: Table, *cells: object, style: str = "") -> None:
    table.add_row(*(Text("" if cell is None else str(cell), style) for cell in cells))


def remarks(
    console: Console, language: Language, rows: Sequence[tuple[str, str, str, str]], good: Sequence[str]
) -> None:
    """Show what lint says."""
    table = _table(language, say("rules-lint", language), "pack", "where", "so")
    for pack, where, weight, sentence in rows:
        _add(table, pack.partition("#")[0], where, sentence, style="bold red" if weight == "error" else "")
    if rows:
        console.print(table)
    errors = sum(weight == "error" for _, _, weight, _ in rows)
    console.print(
        say("rules-lint-summary", language, packs=", ".join(good) or "-", errors=errors, remarks=len(rows) - errors),
        markup=False,
    )


def tested(
    console: Console,
    language: Language,
    found: Sequence[tuple[str, int, int, list[Boundary]]],
    broken: Sequence[tuple[str, str]],
) -> None:
    """Show what the tests of packs came to."""
    table = _table(
        language,
        say("rules-test", language),
        "pack",
        "examples",
        "boundaries",
        "failed",
        right=("examples", "boundaries", "failed"),
    )
    for name, examples, count, failed in found:
        _add(table, name, examples, count, len(failed), style="bold red" if failed else "")
    console.print(table)
    for name, _, _, failed in found:
        for one in failed:
            facts = {
                "pack": name,
                "rule": one.rule,
                "row": one.row,
                "value": one.value,
                "expected": one.expected,
                "found": one.found,
            }
            console.print(say("rules-boundary-failed", language, **facts), markup=False)
    for _, error in broken:
        console.print(error, style="bold red", markup=False)


def covered(console: Console, language: Language, found: Sequence[tuple[str, Covered]]) -> None:
    """Show what examples have seen."""
    table = _table(language, say("rules-coverage", language), "rule", "condition", "seen", "never")
    for pack, one in found:
        seen = ", ".join(f"{say(f'way-{way}', language)} {count}" for way, count in sorted(one.seen.items()))
        rule = f"{pack.partition('@')[0]}/{one.rule}"
        _add(
            table,
            rule,
            one.condition or "-",
            seen,
            ", ".join(say(f"way-{way}", language) for way in one.never),
            style="yellow" if set(one.never) - {"unknown"} else "",
        )
    console.print(table)
    ways = sum(len(one.ways) for _, one in found)
    open_ = sum(len(one.never) for _, one in found)
    console.print(say("rules-coverage-summary", language, seen=ways - open_, ways=ways), markup=False)


def explanations(console: Console, language: Language, told: Sequence[Mapping[str, Any]]) -> None:
    """Show why, result by result."""
    for one in told:
        style = "green" if one["verdict"] in ("release", "comment") else "bold yellow"
        console.print(Text(f"{one['test']} ({one['loinc'] or '-'}) {one['value']}: {one['sentence']}", style))
        for pack in one["packs"]:
            console.print(Text("  " + say("judged-by", language, pack=pack["pack"])))
        for reason in one["reasons"]:
            level = say(f"level-{reason['level']}", language)
            whose = ", ".join(filter(None, (guarded(reason["rule"], language), level)))
            console.print(Text(f"  {reason['sentence']}  ({whose})"))
        quiet = [line["rule"] for line in one["trace"] if line["outcome"] == "passed" and not line["detail"]]
        for line in one["trace"]:
            if line["rule"] not in quiet:
                console.print(Text(f"    {line['sentence']}", "dim"))
        if quiet:
            names = ", ".join(guarded(rule, language) for rule in quiet)
            console.print(Text("    " + say("story-nothing-against", language, rules=names), "dim"))
        if one["would_release"]:
            console.print(Text("  " + say("rules-would", language)))
            for sentence in one["would_release"]:
                console.print(Text(f"    {sentence}"))


def compared(
    console: Console, language: Language, found: Comparison, names: Sequence[str], skipped: Mapping[str, str]
) -> None:
    """Show what a change would have changed."""
    console.print(say("rules-replay", language, results=found.results, specimens=found.specimens, before=names[0], after=names[1]), markup=False)  # fmt: skip
    table = _table(language, "", "figure", "before", "after", right=("before", "after"))
    for code, a, b in (
        ("held", f"{found.held_before} ({found.held_before / found.results:.2%})", f"{found.held_after} ({found.held_after / found.results:.2%})"),
        ("whole", f"{found.whole_before / found.specimens:.2%}", f"{found.whole_after / found.specimens:.2%}"),
        ("agree", _percent(found.agree_before), _percent(found.agree_after)),
    ):  # fmt: skip
        _add(table, say(f"rules-figure-{code}", language), a, b)
    console.print(table)
    table = _table(language, "", "rule", "before", "after", "alone", right=("before", "after", "alone"))
    for one in found.rules:
        differs = one.before != one.after
        _add(table, one.rule, one.before, one.after, one.alone, style="bold" if differs else "")
    console.print(table)
    _flips(console, language, "released", found.released)
    _flips(console, language, "held", found.held)
    if found.released_though_stopped:
        console.print(
            say("rules-released-though-stopped", language, count=found.released_though_stopped),
            style="bold red",
            markup=False,
        )
    if found.planted:
        table = _table(
            language,
            say("rules-planted", language),
            "mishap",
            "results",
            "before",
            "after",
            right=("results", "before", "after"),
        )
        for kind, (count, before, after) in found.planted.items():
            _add(table, _mishap(kind, language), count, f"{before / count:.0%}", f"{after / count:.0%}")
        console.print(table)
    for rule, check in skipped.items():
        console.print(say("rules-not-replayed", language, rule=rule, check=check), style="yellow", markup=False)


def _flips(console: Console, language: Language, kind: str, flipped: pl.DataFrame) -> None:
    console.print(say(f"rules-flips-{kind}", language, count=len(flipped)), markup=False)
    if not len(flipped):
        return
    table = _table(language, "", "specimen", "test", "value", "ward", "decision")
    for row in flipped.head(SHOWN).iter_rows(named=True):
        value = f"{row['comparator']}{row['number']:g} {row['unit']}" if row["number"] is not None else row["value"]
        decided = say(f"history-{row['decision']}", language) if row["decision"] in DECIDED else row["decision"]
        _add(table, row["specimen"], row["loinc"], value, row["ward"], decided)
    console.print(table)


def _mishap(kind: str, language: Language) -> str:
    """What was planted in an invented history, in words; what a laboratory has called it itself stays."""
    return say(f"mishap-{kind}", language) if f"mishap-{kind}" in codes() else kind


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def changed(console: Console, language: Language, found: Sequence[Change]) -> None:
    """Show the difference of two packs."""
    if not found:
        console.print(say("rules-same", language))
        return
    table = _table(language, "", "where", "what", "before", "after")
    for one in found:
        sides = (pack_words.value(one.what, side, language) if side else "–" for side in (one.before, one.after))
        _add(table, pack_words.place(one.where, language), pack_words.key(one.what, language), *sides)
    console.print(table)


def tuned(console: Console, language: Language, found: Sequence[Tuned]) -> None:
    """Show limits that a history supports."""
    table = _table(language, say("rules-tuned", language), "test", "mode", "limit", "pairs", "false-holds", "caught", right=("limit", "pairs", "false-holds", "caught"))  # fmt: skip
    for one in found:
        caught = "-" if one.caught != one.caught else f"{one.caught:.0%}"
        _add(
            table,
            one.name,
            pack_words.value("mode", one.mode, language),
            f"{one.limit:.4g}",
            one.pairs,
            f"{one.false_holds:.1%}",
            caught,
        )
    console.print(table)


def identities(console: Console, language: Language, found: Identity) -> None:
    """Show the score of several tests at once."""
    table = _table(language, say("rules-identity", language, panels=found.panels), "wanted", "threshold", "false-holds", "caught", right=("wanted", "threshold", "false-holds", "caught"))  # fmt: skip
    for wanted, threshold, false_holds, caught in found.curve:
        _add(table, f"{wanted:.1%}", f"{threshold:.3f}", f"{false_holds:.1%}", f"{caught:.0%}")
    console.print(table)
    told = ", ".join(f"{loinc} = {deviation:.4g}" for loinc, deviation in found.deviations.items())
    console.print(say("rules-deviations", language, deviations=told), markup=False)


def states(console: Console, language: Language, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show which state each pack is in."""
    table = _table(language, say("rules-states", language), "pack", "state", "since", "by", "read-by", "review-by")
    colours = {"active": "green", "broken": "bold red", "retired": "dim", "waiting": "cyan"}
    for row in rows:
        due = Text(str(row["review_by"]), "bold red" if row["review_due"] else "")
        name = f"{row['pack']} {row['version']} {str(row['hash']).removeprefix('sha256:')[:12]}"
        word = Text(say(f"rules-state-{row['state']}", language), colours.get(str(row["state"]), ""))
        table.add_row(
            Text(name),
            word,
            Text(str(row["since"])[:16].replace("T", " ")),
            Text(str(row["by"])),
            Text(", ".join(row["read_by"])),
            due,
        )
    console.print(table)
    for row in rows:
        if row["state"] != "active":
            console.print(f"{row['pack']}: {row['why']}", markup=False)
        elif row["extends"]:
            told = say(
                "rules-extends", language, pack=row["pack"], parents=" > ".join(row["extends"]), count=row["overrides"]
            )
            console.print(told, markup=False)


def rostered(console: Console, language: Language, settings: Config, rows: Sequence[Row]) -> None:
    """Show who is responsible, when."""
    zone = ZoneInfo(settings.site.timezone)
    table = _table(language, say("roster", language), "number", "who", "from", "until", "by")
    for row in rows:
        _add(table, row.id, row.who, moment(row.starts, zone)[:16], moment(row.ends, zone)[:16], row.set_by)
    console.print(table if rows else say("roster-empty", language), markup=False)


def measured(console: Console, language: Language, settings: Config, found: Indicators) -> None:
    """Show the indicators of a time."""
    zone = ZoneInfo(settings.site.timezone)
    console.print(
        say("indicators", language, since=moment(found.since, zone)[:16], until=moment(found.until, zone)[:16]),
        markup=False,
    )
    table = _table(language, "", "figure", "released-of", "share", right=("released-of", "share"))
    for code, rate in (("results", found.results), ("dossiers", found.dossiers)):
        _add(table, say(f"indicators-{code}", language), f"{rate.released} / {rate.judged}", _percent(rate.share))
    unchanged = found.released_unchanged / found.decided if found.decided else None
    _add(
        table,
        say("indicators-unchanged", language),
        f"{found.released_unchanged} / {found.decided}",
        _percent(unchanged),
    )
    corrected = found.corrected / found.results.released if found.results.released else None
    _add(
        table,
        say("indicators-corrected", language),
        f"{found.corrected} / {found.results.released}",
        _percent(corrected),
        style="bold red" if found.corrected else "",
    )
    console.print(table)
    for name, group in zip(
        ("by-test", "by-ward", "by-hour", "by-analyzer", "by-version"), found.by.values(), strict=True
    ):
        table = _table(
            language, "", name, "judged", "released-auto", "share", right=("judged", "released-auto", "share")
        )
        for key, rate in list(group.items())[:SHOWN_BY]:
            _add(table, key, rate.judged, rate.released, _percent(rate.share))
        console.print(table)
    if found.reasons:
        table = _table(
            language,
            "",
            "rule",
            "kept",
            "alone",
            "decided",
            "unchanged",
            right=("kept", "alone", "decided", "unchanged"),
        )
        for rule, kept in found.reasons.items():
            _add(table, rule, kept.kept, kept.alone, kept.decided, kept.released_unchanged)
        console.print(table)
    for result, specimen, why in found.corrections[:SHOWN]:
        console.print(
            say("indicators-correction", language, result=result, specimen=specimen, why=why or "-"),
            style="red",
            markup=False,
        )
    if found.waiting:
        console.print(say("indicators-waiting", language, count=sum(found.waiting.values())), markup=False)


def shadowed(console: Console, language: Language, settings: Config, found: Sequence[Watched]) -> None:
    """Show what watched packs would have said."""
    zone = ZoneInfo(settings.site.timezone)
    for one in found:
        facts = {
            "pack": one.pack,
            "results": one.results,
            "first": moment(one.first, zone)[:16],
            "last": moment(one.last, zone)[:16],
        }
        console.print(say("shadow", language, **facts), markup=False)
        table = _table(language, "", "figure", "before", "after", right=("before", "after"))
        _add(
            table,
            say("rules-figure-held", language),
            f"{one.held} ({one.held / one.results:.2%})",
            f"{one.would_hold} ({one.would_hold / one.results:.2%})",
        )
        console.print(table)
        for kind, rows in (("released", one.flips_released), ("held", one.flips_held)):
            console.print(say(f"shadow-flips-{kind}", language, count=len(rows)), markup=False)
            if rows:
                table = _table(language, "", "specimen", "test", "value", "why")
                for row in rows[:SHOWN]:
                    reasons = ", ".join(
                        dict.fromkeys(reason["rule"] or reason["code"] for reason in json.loads(row.reasons))
                    )
                    _add(
                        table,
                        row.specimen,
                        row.test_name or row.code,
                        f"{row.value} {row.unit}".strip(),
                        reasons or "-",
                    )
                console.print(table)
        if one.rules:
            table = _table(language, "", "rule", "kept", right=("kept",))
            for rule, count in one.rules.items():
                _add(table, rule, count)
            console.print(table)
