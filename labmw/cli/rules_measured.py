"""labmw rules indicators, labmw rules shadow: how well do the rules work here, and what would a watched pack have said?"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.qc_words import instant
from labmw.cli.writing import look
from labmw.phrases import say

if TYPE_CHECKING:
    from labmw.watch.indicators import Watched

NOTHING = 1
UNUSABLE = 2


def indicators(
    days: Annotated[int, typer.Option("--days", help="How far back, where no --from is given.", min=1, max=3660)] = 30,
    since: Annotated[str, typer.Option("--from", help="Results received from this day on.", show_default=False)] = "",
    until: Annotated[str, typer.Option("--to", help="Results received before this day.", show_default=False)] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say how much leaves by itself, by test, ward, hour, analyzer and version; what keeps the rest; what people let go; what was taken back.

    Exit codes: 0 said, 1 nothing was judged in that time, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.rules_view import measured
    from labmw.clock import SYSTEM
    from labmw.watch.indicators import indicators as count
    from labmw.watch.indicators import span_of

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    end = instant(until, settings, "--to", tongue) if until else SYSTEM.now()
    begin: datetime = instant(since, settings, "--from", tongue) if since else span_of(days, end)[0]
    zone = ZoneInfo(settings.site.timezone)
    found = look(settings, lambda: count(settings.site.id, begin, end, zone), tongue)
    if not found.results.judged:
        fail(say("indicators-nothing", tongue), NOTHING)
    if as_json:
        told = asdict(found)
        for rate in (
            told["results"],
            told["dossiers"],
            *(one for group in told["by"].values() for one in group.values()),
        ):
            rate["share"] = rate["released"] / rate["judged"] if rate["judged"] else None
        _json(told)
    else:
        measured(console(), tongue, settings, found)


def shadow(
    pack: Annotated[
        str,
        typer.Argument(help="The pack's id, or id@version; when not given, all that are watched.", show_default=False),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say what watched packs (rules.shadow in the configuration) would have said of what came since, beside the packs in force.

    Exit codes: 0 said, 1 nothing was watched yet, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.rules_view import shadowed
    from labmw.watch.indicators import watched

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    found = look(settings, lambda: watched(settings.site.id, pack.strip()), tongue)
    if not found:
        fail(say("shadow-nothing", tongue), NOTHING)
    if as_json:
        _json([_told(one) for one in found])
    else:
        shadowed(console(), tongue, settings, found)


def _told(one: Watched) -> dict[str, Any]:
    flips = {
        "held": [row.mapping() for row in one.flips_held],
        "released": [row.mapping() for row in one.flips_released],
    }
    return {
        "pack": one.pack, "results": one.results, "first": one.first, "last": one.last, "held": one.held, "would_hold": one.would_hold,
        "rules": dict(one.rules), "flips": flips,
    }  # fmt: skip


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
