"""labmw qc calibration, reagent: what people record of calibrations done, of reagents on board, and of the lots that they accept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import (
    ByOption,
    ConfigOption,
    JsonOption,
    LanguageOption,
    WhyOption,
    configuration,
    console,
    language_of,
)
from labmw.cli.qc_words import UNUSABLE, AnalyzerArgument, ModuleOption, another, decide, decision, everywhere, instant
from labmw.cli.writing import look
from labmw.phrases import say

if TYPE_CHECKING:
    from labmw.store import Row, Transaction

calibration = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Calibrations that were done."
)
reagent = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Reagents on board, and lots accepted."
)

TestArgument = Annotated[
    str,
    typer.Argument(help="The LOINC code, or the analyzer's own; * for the whole analyzer.", show_default=False),
]
NumberArgument = Annotated[int, typer.Argument(help="Its number, as the list shows it.", show_default=False)]
LotArgument = Annotated[str, typer.Argument(help="The lot of the reagent.", show_default=False)]
AtOption = Annotated[str, typer.Option("--at", help="When; when not given, now.", show_default=False)]


@calibration.command("done")
def calibration_done(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    why: WhyOption,
    at: AtOption = "",
    failed: Annotated[bool, typer.Option("--failed", help="It did not succeed.")] = False,
    lot: Annotated[str, typer.Option("--lot", help="The calibrator's lot.", show_default=False)] = "",
    reagent_lot: Annotated[
        str, typer.Option("--reagent-lot", help="The lot of reagent that it holds for alone.", show_default=False)
    ] = "",
    module: ModuleOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Record a calibration. One that failed holds what is measured after it, until one succeeds.

    Exit codes: 0 recorded, 1 it lies ahead, 2 wrong usage.
    """
    from labmw.clock import stamp
    from labmw.lab.supplies import FAILED, PASSED
    from labmw.lab.supplying import Calibrated, record_calibration

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    made = decision(settings, why, by, tongue, tightens=failed)
    moment = stamp(instant(at, settings, "--at", tongue)) if at else made.at
    outcome = FAILED if failed else PASSED
    one = Calibrated(
        everywhere(analyzer), module.strip(), test.strip(), moment, outcome, lot.strip(), reagent_lot.strip()
    )
    entry, left = decide(settings, record_calibration(made, one), tongue)
    typer.echo(say(f"calibration-recorded-{outcome}", tongue, number=entry, test=test, left=left))


@calibration.command("withdraw")
def calibration_withdraw(
    entry: NumberArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:  # fmt: skip
    """Say that a calibration was recorded in error: it counts no more.

    Exit codes: 0 done, 1 there is no such calibration, 2 wrong usage.
    """
    from labmw.lab.supplying import withdraw_calibration

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row, left = decide(settings, withdraw_calibration(decision(settings, why, by, tongue), entry), tongue)
    typer.echo(say("calibration-withdrawn", tongue, number=entry, test=row.test, left=left))


@calibration.command("list")
def calibration_list(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the calibrations that stand.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import calibrations
    from labmw.store.statements import supplies
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(supplies.calibrations(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        calibrations(console(), tongue, settings, rows)


@reagent.command("load")
def reagent_load(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    lot: LotArgument,
    why: WhyOption,
    expires: Annotated[
        str, typer.Option("--expires", help="Its expiry; a day is used up to its end.", show_default=False)
    ] = "",
    at: AtOption = "",
    part: Annotated[
        str, typer.Option("--part", help="Which of several reagents of the test: R1, R2.", show_default=False)
    ] = "",
    module: ModuleOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Record that a reagent was put on board; the one before is off from then on.

    Exit codes: 0 recorded, 1 it lies ahead, or before the one that is on board, 2 wrong usage.
    """
    from datetime import timedelta

    from labmw.clock import stamp
    from labmw.lab.supplying import Loaded, load_reagent

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    made = decision(settings, why, by, tongue)
    opened = stamp(instant(at, settings, "--at", tongue)) if at else made.at
    end = instant(expires, settings, "--expires", tongue) if expires else None
    if end is not None and len(expires.strip()) == len("2026-11-30"):
        end += timedelta(days=1, seconds=-1)
    where = (everywhere(analyzer), module.strip(), test.strip(), lot.strip())
    one = Loaded(*where, opened, None if end is None else stamp(end), part.strip())
    entry = decide(settings, load_reagent(made, one), tongue)
    typer.echo(say("reagent-loaded", tongue, number=entry, lot=lot, test=test))


@reagent.command("unload")
def reagent_unload(
    entry: NumberArgument,
    why: WhyOption,
    at: AtOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Record that a reagent was taken off.

    Exit codes: 0 recorded, 1 it is not on board, 2 wrong usage.
    """
    from labmw.clock import stamp
    from labmw.lab.supplying import unload_reagent

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    made = decision(settings, why, by, tongue)
    moment = stamp(instant(at, settings, "--at", tongue)) if at else made.at
    row = decide(settings, unload_reagent(made, entry, moment), tongue)
    typer.echo(say("reagent-unloaded", tongue, lot=row.lot, test=row.test))


@reagent.command("accept")
def reagent_accept(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    lot: LotArgument,
    why: WhyOption,
    second: Annotated[
        str, typer.Option("--second", help="The second person, where the lot was refused before.", show_default=False)
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Accept a lot of reagent: it was compared with the one before.

    Exit codes: 0 accepted, 1 it was refused before and there is no second person, 2 wrong usage.
    """
    _decide_lot(analyzer, test, lot, why, second, by, config, language, accepted=True)


@reagent.command("refuse")
def reagent_refuse(
    analyzer: AnalyzerArgument, test: TestArgument, lot: LotArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:  # fmt: skip
    """Refuse a lot of reagent, at once: what was measured with it is held, and what has left is listed.

    Exit codes: 0 refused, 2 wrong usage.
    """
    _decide_lot(analyzer, test, lot, why, "", by, config, language, accepted=False)


@reagent.command("list")
def reagent_list(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List reagents on board, and the lots that were accepted or refused.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import reagents
    from labmw.store.statements import supplies

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)

    def ask() -> Transaction[tuple[list[Row], list[Row]]]:
        return (yield supplies.reagents_on_board(settings.site.id)), (yield supplies.lots(settings.site.id))

    rows, lots = look(settings, ask, tongue)
    if as_json:
        both = {"on_board": [row.mapping() for row in rows], "lots": [row.mapping() for row in lots]}
        typer.echo(json.dumps(both, ensure_ascii=False, indent=2))
    else:
        reagents(console(), tongue, settings, rows, lots)


def _decide_lot(
    analyzer: str, test: str, lot: str, why: str, second: str, by: ByOption, config: ConfigOption, language: LanguageOption, *, accepted: bool
) -> None:  # fmt: skip
    from labmw.lab.supplying import decide_lot

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    made = decision(settings, why, by, tongue, tightens=not accepted)
    where = (everywhere(analyzer), test.strip(), lot.strip())
    left = decide(
        settings, decide_lot(made, *where, accepted=accepted, second=another(settings, second, tongue)), tongue
    )
    typer.echo(say(f"reagent-lot-{'accepted' if accepted else 'refused'}", tongue, lot=lot, test=test, left=left))
