"""labmw qc: how does quality control stand, what do its charts say, and what has a person decided about it?"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli import qc_average, qc_order, qc_setting, qc_supply
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
    ModuleOption,
    TestArgument,
    another,
    decide,
    decision,
    everywhere,
    number,
    rules,
    span,
)
from labmw.cli.writing import look
from labmw.phrases import say

if TYPE_CHECKING:
    from labmw.store import Row, Transaction

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(qc_setting.material, name="material")
app.add_typer(qc_setting.lot, name="lot")
app.add_typer(qc_setting.target, name="target")
app.add_typer(qc_setting.derogation, name="derogation")
app.add_typer(qc_supply.calibration, name="calibration")
app.add_typer(qc_supply.reagent, name="reagent")
app.add_typer(qc_average.app, name="average")
app.command()(qc_average.tune)
app.command()(qc_order.order)

SecondOption = Annotated[str, typer.Option("--second", help="The second person, where it asks for less than before.", show_default=False)]  # fmt: skip


@app.callback()
def qc() -> None:
    """Control materials, targets, Westgard's rules, charts, and the averages of patients."""


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """Say how quality control stands, by analyzer, test and level.

    Exit codes: 0 nothing is out, 1 something is out or alarms, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import status as shown
    from labmw.store.statements import average, control

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site = settings.site.id

    def ask() -> Transaction[tuple[list[Row], list[Row], list[Row]]]:
        return (yield control.qc_states(site)), (yield control.plans_open(site)), (yield average.averages(site))

    states, plans, averages = look(settings, ask, tongue)
    if as_json:
        _json(
            {
                "levels": [row.mapping() | {"points": json.loads(row.points)} for row in states],
                "averages": [row.mapping() | {"kept": json.loads(row.kept)} for row in averages],
            }
        )
    else:
        shown(console(), tongue, settings, states, plans, averages)
    bad = any(row.state == "out" for row in states) or any(row.state == "alarm" for row in averages)
    raise typer.Exit(1 if bad else 0)


@app.command()
def show(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    days: Annotated[int, typer.Option("--days", help="How far back.", min=1, max=3660)] = 60,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show the Levey-Jennings chart of a test, one for each level and lot.

    Exit codes: 0 shown, 1 there is no control of it, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import show as shown

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    points, restarts = look(settings, lambda: _points(settings.site.id, analyzer.strip(), test.strip(), days), tongue)
    if not points:
        fail(say("qc-no-points", tongue, analyzer=analyzer, test=test, days=days), NOT_DONE)
    if as_json:
        _json(
            {
                "points": [row.mapping() | {"broken": json.loads(row.broken)} for row in points],
                "restarts": [row.mapping() for row in restarts],
            }
        )
    else:
        shown(console(), tongue, settings, points, restarts)


@app.command()
def sigma(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    allowed: Annotated[
        str,
        typer.Option(
            "--allowed", help="The total error allowed, percent; when not given, the plan's.", show_default=False
        ),
    ] = "",
    bias: Annotated[
        str, typer.Option("--bias", help="The bias, percent; when not given, mean against target.", show_default=False)
    ] = "",
    days: Annotated[int, typer.Option("--days", help="How far back.", min=1, max=3660)] = 180,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Say the sigma of a test by level, and which of Westgard's rules it asks for.

    Exit codes: 0 said, 1 there are too few points, or no total error allowed, 2 wrong usage, or the store cannot be read.
    """
    from dataclasses import asdict

    from labmw.cli.qc_sigma import NoSigma, sigmas
    from labmw.cli.qc_view import sigmas as shown
    from labmw.store.statements import control

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    given = number(allowed, "--allowed", tongue) if allowed else None
    known = float(number(bias, "--bias", tongue)) if bias else None
    points, _ = look(settings, lambda: _points(settings.site.id, analyzer.strip(), test.strip(), days), tongue)
    plans = look(settings, lambda: _ask(control.plans_open(settings.site.id, [test.strip()])), tongue)
    try:
        found = sigmas(points, plans, float(given) if given is not None else None, known)
    except NoSigma as problem:
        fail(say(problem.code, tongue, analyzer=analyzer, test=test), NOT_DONE)
    if as_json:
        _json(
            [
                {"level": row.level, "lot": row.lot, "points": count, "mean": mean, "cv": cv, "bias": off, "sigma": value, "plan": asdict(plan)}
                for row, count, mean, cv, off, value, plan in found
            ]
        )  # fmt: skip
    else:
        shown(console(), tongue, found)


@app.command()
def plan(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    why: WhyOption,
    gate: Annotated[
        str, typer.Option("--gate", help="none, start (the last control counts) or bracket (the next one too).")
    ] = "start",
    max_age: Annotated[str, typer.Option("--max-age", help="How old a control may be: 24h, 7d.")] = "24h",
    rules_: Annotated[
        str,
        typer.Option(
            "--rules", help="Westgard's rules, with commas; when not given, the classic ones.", show_default=False
        ),
    ] = "",
    run: Annotated[str, typer.Option("--run", help="Levels measured within it make one run.")] = "120min",
    allowed: Annotated[
        str, typer.Option("--allowed", help="The total error allowed, percent.", show_default=False)
    ] = "",
    allowed_source: Annotated[
        str, typer.Option("--allowed-source", help="Where it comes from.", show_default=False)
    ] = "",
    module: ModuleOption = "",
    second: SecondOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Declare how a test is controlled, and what quality control decides for patients' results.

    Exit codes: 0 done, 1 no role that may, or it asks for less than before and has no second person, 2 wrong usage.
    """
    from labmw.lab.controlling import GATES, Plan, set_plan

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if gate not in GATES:
        fail(say("qc-gate-unknown", tongue, gate=gate, known=", ".join(GATES)), UNUSABLE)
    if allowed and not allowed_source.strip():
        fail(say("qc-allowed-source", tongue), UNUSABLE)
    one = Plan(
        everywhere(analyzer), module, test.strip(), gate, tuple(rules(rules_, tongue)), span(max_age, "--max-age", tongue),
        span(run, "--run", tongue), number(allowed, "--allowed", tongue) if allowed else None, allowed_source.strip(),
    )  # fmt: skip
    decide(settings, set_plan(decision(settings, why, by, tongue), one, another(settings, second, tongue)), tongue)
    typer.echo(say("qc-plan-set", tongue, test=test, gate=say(f"qc-gate-{gate}", tongue)))


@app.command()
def restart(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    why: WhyOption,
    module: ModuleOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Document a corrective action: rules look back no further. What is out stays out until a control passes.

    Exit codes: 0 done, 2 wrong usage.
    """
    from labmw.lab.controlling import restart as documented

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(
        settings, documented(decision(settings, why, by, tongue), everywhere(analyzer), module, test.strip()), tongue
    )
    typer.echo(say("qc-restarted", tongue, test=test))


@app.command()
def exclude(
    point: Annotated[int, typer.Argument(help="The point's number, as `labmw qc show` tells it.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Mark a point as a technical error: it stays on the chart, and no rule looks at it.

    Exit codes: 0 done, 1 there is no such point or it is marked already, 2 wrong usage.
    """
    from labmw.lab.controlling import exclude as marked

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row = decide(settings, marked(decision(settings, why, by, tongue), point), tongue)
    typer.echo(say("qc-excluded", tongue, point=point, test=row.test_name or row.test))


def _points(site: str, analyzer: str, test: str, days: int) -> Transaction[tuple[list[Row], list[Row]]]:
    from labmw.clock import SYSTEM, stamp
    from labmw.store.statements import control

    since = stamp(SYSTEM.now() - timedelta(days=days))
    rows = yield control.points_before(site, analyzer, test, since=since, most=2000)
    restarts = yield control.restarts_of(site, test)
    return list(reversed(rows)), [row for row in restarts if row.analyzer in ("", analyzer)]


def _ask(step: Any) -> Transaction[list[Row]]:
    return (yield step)


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
