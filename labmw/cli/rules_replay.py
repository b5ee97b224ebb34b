"""What would a change of rules have changed, and which limits does a history support? The two commands that read a year of results."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.errors import ConfigError, LabmwError
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from labmw.config import Config
    from rules.pack import Pack, Packs
    from rules.replay.judge import Judged

WRONG = 1
UNUSABLE = 2
STORE = "store"
DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        help="The history: Parquet or CSV, one row per result; or store: what labmw has kept.",
        show_default=False,
    ),
]
FromOption = Annotated[
    str, typer.Option("--from", help="Judge results from this day on (2025-01-31).", show_default=False)
]
ToOption = Annotated[str, typer.Option("--to", help="Judge results before this day.", show_default=False)]


def replay(
    data: DataOption,
    pack: Annotated[Path, typer.Option("--pack", help="The new version: a pack's folder.", show_default=False)],
    baseline: Annotated[str, typer.Option(help="What it is compared with: active, or a pack's folder.")] = "active",
    since: FromOption = "",
    until: ToOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Judge a history by a new version of a pack and by what is in force, and say what would change.

    Exit codes: 0 said, 1 a pack or the history cannot be used, 2 wrong usage.
    """
    from labmw.cli.rules_view import compared
    from rules.replay.comparison import compare
    from rules.replay.judge import judge, prepare

    settings = configuration(config, UNUSABLE) if config is not None else None
    tongue = language_of(settings, language)
    try:
        before, after = _two(settings, baseline, pack)
        table = prepare(history(data, settings, tongue, since=_day(since), until=_day(until)), [before, after])
    except LabmwError as error:
        fail(str(error), WRONG)
    if not table["judged"].any():
        fail(say("rules-empty-history", tongue, file=data), WRONG)
    old, new = judge(table, before), judge(table, after)
    found = compare(old, new)
    names = [", ".join(one.name for one in packs.active) or "-" for packs in (before, after)]
    if as_json:
        _json(_figures(old, new, names))
    else:
        compared(console(), tongue, found, names, {**old.skipped, **new.skipped})


def tune(
    what: Annotated[str, typer.Argument(help="delta, limits or identity.")],
    data: DataOption,
    false_hold: Annotated[str, typer.Option(help="Share of results that may be held for nothing.")] = "5%",
    tests: Annotated[
        str, typer.Option(help="LOINC codes, with commas; when not given all in the history.", show_default=False)
    ] = "",
    window: Annotated[int, typer.Option(help="Hours within which an earlier result is compared.")] = 168,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Find the limits that a history supports: set on half of its patients, told for the other half.

    Exit codes: 0 said, 1 the history cannot be used or has too few pairs, 2 wrong usage.
    """
    from labmw.cli.rules_view import identities, tuned
    from rules.replay import tuning
    from rules.replay.features import features

    settings = (
        configuration(config, UNUSABLE) if config is not None and (str(data) == STORE or config.exists()) else None
    )
    tongue = language_of(settings, language)
    share = _percent(false_hold)
    if what not in ("delta", "limits", "identity"):
        fail(say("rules-tune-what", tongue, what=what), UNUSABLE)
    try:
        table = features(history(data, settings, tongue))
    except LabmwError as error:
        fail(str(error), WRONG)
    codes = [one.strip() for one in tests.split(",") if one.strip()] or sorted(table["loinc"].unique())
    if what == "identity":
        shares = sorted({0.01, 0.02, share, 0.1})
        curve = tuning.identity(table, codes, shares, window)
        if curve is None:
            fail(say("rules-tune-few", tongue, file=data), WRONG)
        _json(asdict(curve)) if as_json else identities(console(), tongue, curve)
        return
    found = [
        one
        for code in codes
        for one in (
            tuning.delta(table, code, share, window) if what == "delta" else [tuning.limits(table, code, share)]
        )
        if one is not None
    ]
    if not found:
        fail(say("rules-tune-few", tongue, file=data), WRONG)
    _json([asdict(one) for one in found]) if as_json else tuned(console(), tongue, found)


def history(
    data: Path,
    settings: Config | None,
    tongue: Language,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """The results that are looked back on: of a file, or with `store` of the store; raises PackError for a file that cannot be used."""
    from rules.replay.history import read

    if str(data) != STORE:
        return read(data, since=since, until=until)
    if settings is None:
        fail(say("rules-store-config", tongue), UNUSABLE)
    from labmw.cli.writing import look
    from labmw.watch.past import table

    return look(settings, lambda: table(settings.site.id, since, until), tongue)


def _two(settings: Config | None, baseline: str, new: Path) -> tuple[Packs, Packs]:
    """What is compared: the packs in force, or one pack; and the same with the new version in the place of the old."""
    from rules.pack import load

    fresh = load(new)
    if baseline != "active":
        return as_signed([load(Path(baseline))]), as_signed([fresh])
    if settings is None:
        raise ConfigError(
            "labmw.toml", "rules", "is not given, so nothing is active", "give --config, or --baseline FOLDER"
        )
    return beside(settings, fresh)


def beside(settings: Config, fresh: Pack) -> tuple[Packs, Packs]:
    """The packs in force, and the same with a new version in the place of the old."""
    from labmw.watch.inspection import packs_of

    before, problem = packs_of(settings)
    if problem is not None:
        raise problem
    rest = [pack for pack in before.active if pack.id != fresh.id]
    return before, as_signed([*rest, fresh], before.classes)


def as_signed(packs: list[Pack], classes: Mapping[str, str] | None = None) -> Packs:
    """As if they were signed: a question about a replay, not a signature."""
    from rules.pack import Packs, signed

    now = datetime.now(UTC)
    signatures = [signed(pack, who="replay", at=now, reason="replay") for pack in packs]
    return Packs.of(packs, signatures, classes=classes)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a day; write it like 2025-01-31, or with time and offset", UNUSABLE)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _percent(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 0.5:
        fail(f"{text!r} is not a share; write it like 5% or 0.05", UNUSABLE)
    return share


def _figures(old: Judged, new: Judged, names: list[str]) -> dict[str, Any]:
    from rules.replay.comparison import compare

    found = compare(old, new)
    flips = {
        "released": found.released.select("result", "specimen", "loinc", "number", "unit", "decision").head(20),
        "held": found.held.select("result", "specimen", "loinc", "number", "unit", "decision").head(20),
    }
    return {
        "before": names[0], "after": names[1], "results": found.results, "specimens": found.specimens,
        "held_before": found.held_before, "held_after": found.held_after, "whole_before": found.whole_before, "whole_after": found.whole_after,
        "released": len(found.released), "held": len(found.held), "released_though_stopped": found.released_though_stopped,
        "agree_before": found.agree_before, "agree_after": found.agree_after, "planted": {kind: list(counts) for kind, counts in found.planted.items()},
        "rules": [asdict(one) for one in found.rules], "examples": {name: table.to_dicts() for name, table in flips.items()},
        "not_replayed": {**old.skipped, **new.skipped},
    }  # fmt: skip


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
