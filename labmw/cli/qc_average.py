"""labmw qc average, labmw qc tune: which averages of patients are followed, how do they stand, and what would each way of averaging notice?"""

from __future__ import annotations

import json
from pathlib import Path
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
    fail,
    language_of,
)
from labmw.cli.qc_words import (
    NOT_DONE,
    UNUSABLE,
    AnalyzerArgument,
    TestArgument,
    decide,
    decision,
    everywhere,
    number,
    unit,
)
from labmw.cli.writing import look
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from rules.qc.tuning import Choice

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Averages of patients.")


@app.command("set")
def set_(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    why: WhyOption,
    algorithm: Annotated[str, typer.Option("--algorithm", help="mean, median, ewma or bull.", show_default=False)],
    quiet: Annotated[str, typer.Option("--quiet", help="The limits of the average: LOW:HIGH.", show_default=False)],
    truncate: Annotated[
        str, typer.Option("--truncate", help="Results outside are left out: LOW:HIGH.", show_default=False)
    ],
    unit_: Annotated[str, typer.Option("--unit", help="The unit of all these numbers.", show_default=False)],
    size: Annotated[int, typer.Option("--size", help="How many results: mean, median, bull.", min=2, max=5000)] = 50,
    weight: Annotated[str, typer.Option("--weight", help="The weight of the newest result: ewma.")] = "0.05",
    start: Annotated[str, typer.Option("--start", help="Where it begins: ewma, bull.", show_default=False)] = "",
    wards: Annotated[
        str, typer.Option("--without-wards", help="Wards that are left out, with commas.", show_default=False)
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Follow the average of a test's released results, on each analyzer apart. `labmw qc tune` proposes the numbers.

    Exit codes: 0 done, 2 wrong usage.
    """
    from labmw.lab.averaging import AveragePlan, set_average

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if algorithm not in ("mean", "median", "ewma", "bull"):
        fail(say("qc-algorithm-unknown", tongue, algorithm=algorithm), UNUSABLE)
    if algorithm in ("ewma", "bull") and not start:
        fail(say("qc-start-missing", tongue, algorithm=algorithm), UNUSABLE)
    share = number(weight, "--weight", tongue)
    if not 0 < share <= 1:
        fail(say("qc-number", tongue, what="--weight", text=weight), UNUSABLE)
    plan = AveragePlan(
        everywhere(analyzer), test.strip(), algorithm, 0 if algorithm == "ewma" else size, share if algorithm == "ewma" else None,
        unit(unit_, tongue), _pair(truncate, "--truncate", tongue), _pair(quiet, "--quiet", tongue),
        number(start, "--start", tongue) if start else None, tuple(one.strip() for one in wards.split(",") if one.strip()),
    )  # fmt: skip
    decide(settings, set_average(decision(settings, why, by, tongue), plan), tongue)
    typer.echo(say("qc-average-set", tongue, test=test))


@app.command()
def stop(
    analyzer: AnalyzerArgument, test: TestArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:  # fmt: skip
    """Follow the average of a test no longer.

    Exit codes: 0 done, 1 it was not followed, or alarms (clear it first), 2 wrong usage.
    """
    from labmw.lab.averaging import stop_average

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(settings, stop_average(decision(settings, why, by, tongue), everywhere(analyzer), test.strip()), tongue)
    typer.echo(say("qc-average-stopped", tongue, test=test))


@app.command()
def clear(
    analyzer: AnalyzerArgument, test: TestArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:  # fmt: skip
    """Say that the cause of an alarm is found and mended: the average begins anew, and results may leave again.

    Exit codes: 0 done, 1 there is no such average, 2 wrong usage.
    """
    from labmw.lab.averaging import clear_average

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(settings, clear_average(decision(settings, why, by, tongue), analyzer.strip(), test.strip()), tongue)
    typer.echo(say("qc-average-cleared", tongue, test=test))


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the averages that are followed; how they stand is told by `labmw qc status`.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import average_plans
    from labmw.store.statements import average
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(average.average_plans(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        average_plans(console(), tongue, rows)


def tune(
    test: Annotated[str, typer.Argument(help="The LOINC code.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", help="The history: Parquet or CSV, one row per result.", show_default=False)
    ],
    bias: Annotated[
        str,
        typer.Option(
            "--bias",
            help="The bias to be noticed, in the unit of the test; when not given, half an SD.",
            show_default=False,
        ),
    ] = "",
    false_alarms: Annotated[str, typer.Option("--false-alarms", help="One in so many results.")] = "1000",
    without_wards: Annotated[
        str, typer.Option("--without-wards", help="Wards that are left out, with commas.", show_default=False)
    ] = "",
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Find which average of patients notices a bias soonest: limits from the first half of a history, figures from the second.

    Exit codes: 0 said, 1 the history cannot be used or is too short, 2 wrong usage.
    """
    from dataclasses import asdict

    from labmw.cli.qc_view import tuned
    from rules.qc.tuning import FEWEST
    from rules.qc.tuning import tune as look_for
    from rules.replay.history import read

    tongue = language_of(None, language)
    once_in = number(false_alarms, "--false-alarms", tongue)
    if once_in < 10:
        fail(say("qc-number", tongue, what="--false-alarms", text=false_alarms), UNUSABLE)
    wanted = float(number(bias, "--bias", tongue)) if bias else None
    wards = [one.strip() for one in without_wards.split(",") if one.strip()]
    from labmw.errors import LabmwError

    try:
        table = read(data)
        own = table.filter((table["loinc"] == test.strip()) & (table["comparator"] == "") & ~table["ward"].is_in(wards))
        own = own.drop_nulls(["number", "completed"]).sort("completed")
        units = own["unit"].unique().to_list()
        if len(units) > 1:
            fail(say("qc-tune-units", tongue, test=test, units=", ".join(sorted(units))), NOT_DONE)
        found = look_for(own["number"].to_list(), wanted, 1 / float(once_in))
    except LabmwError as problem:
        fail(str(problem), NOT_DONE)
    except ValueError:
        code = "qc-tune-few" if len(own) < FEWEST else "qc-tune-rare"
        fail(say(code, tongue, test=test, results=len(own), fewest=FEWEST), NOT_DONE)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    tuned(console(), tongue, test, found)
    typer.echo(say("qc-tune-next", tongue, command=_command(test, units[0], found[0], wards)))


def _command(test: str, unit_: str, one: Choice, wards: list[str]) -> str:
    how = f"--weight {one.weight:g} --start {one.start:.6g}" if one.algorithm == "ewma" else f"--size {one.size}"
    if one.algorithm == "bull":
        how += f" --start {one.start:.6g}"
    apart = f" --without-wards '{','.join(wards)}'" if wards else ""
    return (
        f"labmw qc average set '*' {test} --algorithm {one.algorithm} {how} --truncate {one.truncate[0]:g}:{one.truncate[1]:g} "
        f"--quiet {one.quiet.low:.6g}:{one.quiet.high:.6g} --unit '{unit_}'{apart} --why '...'"
    )


def _pair(text: str, what: str, tongue: Language) -> tuple[str, str]:
    low, mark, high = text.partition(":")
    if not mark:
        fail(say("qc-pair", tongue, what=what, text=text), UNUSABLE)
    first, second = number(low, what, tongue), number(high, what, tongue)
    if not first < second:
        fail(say("qc-pair", tongue, what=what, text=text), UNUSABLE)
    return f"{first:f}", f"{second:f}"
