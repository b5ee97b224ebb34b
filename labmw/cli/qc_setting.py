"""labmw qc material, lot, target, derogation: what people set, each with author and reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

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
from labmw.cli.qc_words import (
    UNUSABLE,
    AnalyzerArgument,
    ModuleOption,
    TestArgument,
    decide,
    decision,
    everywhere,
    instant,
    number,
    plain_errors,
    unit,
)
from labmw.cli.writing import look
from labmw.phrases import say

material = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Control materials.")
lot = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Lots of control materials.")
target = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="What a lot should measure."
)
derogation = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Let results go although quality control says no.",
)

IdentifierArgument = Annotated[str, typer.Argument(help="What analyzers read on the material.", show_default=False)]
LotArgument = Annotated[str, typer.Argument(help="The lot's number.", show_default=False)]
NumberArgument = Annotated[int, typer.Argument(help="Its number, as the list shows it.", show_default=False)]


@material.command("add")
def material_add(
    identifier: IdentifierArgument,
    why: WhyOption,
    name: Annotated[str, typer.Option("--name", help="What it is called.", show_default=False)] = "",
    level: Annotated[str, typer.Option("--level", help="Which level it is: 1, 2, 3.")] = "1",
    since: Annotated[
        str, typer.Option("--from", help="Since when; when not given, since ever.", show_default=False)
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Register a control material: from now on results under this identifier belong to quality control, never to a patient.

    Exit codes: 0 registered, 1 it is registered already or a patient's tube has this identifier, 2 wrong usage.
    """
    from labmw.clock import stamp
    from labmw.lab.controlling import add_material

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    start = stamp(instant(since, settings, "--from", tongue)) if since else ""
    made = decision(settings, why, by, tongue)
    decide(settings, add_material(made, identifier.strip(), name.strip(), level.strip(), start), tongue)
    typer.echo(say("qc-material-added", tongue, material=identifier, level=level))


@material.command("list")
def material_list(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List control materials and their lots.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import materials
    from labmw.store.statements.control import materials_listed
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(materials_listed(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        materials(console(), tongue, settings, rows)


@material.command("close")
def material_close(
    identifier: IdentifierArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:  # fmt: skip
    """Take a control material out of use with all its targets: results under its identifier go to quarantine again.

    Exit codes: 0 done, 1 it is not in use, 2 wrong usage.
    """
    _close(identifier, "", why, by, config, language)


@lot.command("add")
def lot_add(
    identifier: IdentifierArgument,
    number_: LotArgument,
    why: WhyOption,
    since: Annotated[
        str, typer.Option("--from", help="In use since; when not given, from now.", show_default=False)
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Its expiry.", show_default=False)] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Put a lot of a material into use.

    Exit codes: 0 done, 1 the material is not registered or another lot of it is in use, 2 wrong usage.
    """
    from labmw.clock import stamp
    from labmw.lab.controlling import add_lot

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    made = decision(settings, why, by, tongue)
    start = stamp(instant(since, settings, "--from", tongue)) if since else made.at
    end = stamp(instant(until, settings, "--until", tongue)) if until else None
    decide(settings, add_lot(made, identifier.strip(), number_.strip(), start, end), tongue)
    typer.echo(say("qc-lot-added", tongue, material=identifier, lot=number_))


@lot.command("close")
def lot_close(
    identifier: IdentifierArgument, number_: LotArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:  # fmt: skip
    """Take a lot out of use, with its targets.

    Exit codes: 0 done, 1 it is not in use, 2 wrong usage.
    """
    _close(identifier, number_.strip(), why, by, config, language)


@target.command("set")
def target_set(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    identifier: IdentifierArgument,
    number_: LotArgument,
    why: WhyOption,
    source: Annotated[str, typer.Option("--source", help="Where the numbers come from.", show_default=False)],
    mean: Annotated[str, typer.Option("--mean", help="The mean: an exact decimal.", show_default=False)] = "",
    sd: Annotated[str, typer.Option("--sd", help="The standard deviation.", show_default=False)] = "",
    unit_: Annotated[str, typer.Option("--unit", help="Their unit.", show_default=False)] = "",
    expect: Annotated[
        str, typer.Option("--expect", help="Instead of numbers: the word that must come.", show_default=False)
    ] = "",
    module: ModuleOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Say what a lot should measure on an analyzer, from now on.

    Exit codes: 0 done, 1 the lot is not in use, 2 wrong usage.
    """
    from labmw.cli.options import fail
    from labmw.lab.controlling import Target, set_target

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if bool(expect) == bool(mean or sd) or bool(mean) != bool(sd) or not source.strip():
        fail(say("qc-target-what", tongue), UNUSABLE)
    where = (everywhere(analyzer), module, test.strip(), identifier.strip(), number_.strip(), source.strip())
    one = Target(*where, expected=expect.strip())
    if mean:
        one = Target(*where, unit(unit_, tongue), number(mean, "--mean", tongue), number(sd, "--sd", tongue))
        if one.sd is None or one.sd <= 0:
            fail(say("qc-sd", tongue, sd=sd), UNUSABLE)
    decide(settings, set_target(decision(settings, why, by, tongue), one), tongue)
    typer.echo(say("qc-target-set", tongue, test=test, material=identifier, lot=number_))


@target.command("list")
def target_list(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the targets in force.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import targets
    from labmw.store.statements.control import targets_open
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(targets_open(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        targets(console(), tongue, rows)


@target.command("import")
def target_import(
    file: Annotated[
        Path, typer.Argument(help="CSV, as an English or a French spreadsheet writes it.", show_default=False)
    ],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Set the targets of a sheet, all or none: analyzer, module, test, material, lot, unit, mean, sd, source.

    Exit codes: 0 set, 1 the sheet cannot be used or a lot is not in use, 2 wrong usage.
    """
    from labmw.lab.controlling import set_targets
    from labmw.lab.target_sheet import read_targets

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    with plain_errors():
        found = read_targets(file)
    count = decide(settings, set_targets(decision(settings, why, by, tongue), found), tongue)
    typer.echo(say("qc-targets-set", tongue, count=count, file=file))


@target.command("propose")
def target_propose(
    analyzer: AnalyzerArgument,
    test: TestArgument,
    identifier: IdentifierArgument,
    number_: LotArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Propose the target of a new lot: its own mean as measured, and the spread that the method has had with the lots before.

    Exit codes: 0 proposed, 1 there are too few points, or no spread from before, 2 wrong usage.
    """
    from dataclasses import asdict

    from labmw.cli.options import fail
    from labmw.cli.qc_sigma import NoSigma, proposed
    from labmw.store.statements.control import points_before
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    where = (settings.site.id, analyzer.strip(), test.strip())
    rows = look(settings, lambda: ask(points_before(*where, since="", most=5000)), tongue)
    try:
        found, cv, unit_ = proposed(list(reversed(rows)), identifier.strip(), number_.strip())
    except NoSigma as problem:
        fail(say(problem.code, tongue, analyzer=analyzer, test=test, lot=number_), 1)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"cv": cv, "unit": unit_}, indent=2))
        return
    typer.echo(say("qc-proposed", tongue, lot=number_, points=found.points, days=found.days, cv=f"{cv:.2f}"))
    if not found.complete:
        typer.echo(say("qc-proposed-early", tongue))
    where_ = f"{analyzer} {test} {identifier} {number_}"
    numbers = f"--mean {found.target.mean:.5g} --sd {found.target.sd:.3g} --unit '{unit_}'"
    source = say("qc-proposed-source", tongue, points=found.points)
    typer.echo(f"  labmw qc target set {where_} {numbers} --source '{source}' --why '...'")


@derogation.command("ask")
def derogation_ask(
    analyzer: AnalyzerArgument,
    test: Annotated[str, typer.Argument(help="The LOINC code, or the analyzer's own; * for all.", show_default=False)],
    why: WhyOption,
    until: Annotated[str, typer.Option("--until", help="Its end: 2026-11-30T18:00.", show_default=False)],
    module: ModuleOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Ask that results of a test may leave although quality control says no. Another person approves it.

    Exit codes: 0 asked, 1 its end is not ahead, or too far, 2 wrong usage.
    """
    from labmw.lab.controlling import ask_derogation

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    end = instant(until, settings, "--until", tongue)
    made = decision(settings, why, by, tongue)
    entry = decide(settings, ask_derogation(made, everywhere(analyzer), module, test.strip(), end), tongue)
    typer.echo(say("qc-derogation-asked", tongue, derogation=entry, by=made.by))


@derogation.command("approve")
def derogation_approve(
    entry: NumberArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:  # fmt: skip
    """Approve a derogation that another person has asked for.

    Exit codes: 0 in force, 1 it is yours, or not open, 2 wrong usage.
    """
    from labmw.lab.controlling import approve_derogation

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row = decide(settings, approve_derogation(decision(settings, why, by, tongue), entry), tongue)
    typer.echo(say("qc-derogation-approved", tongue, derogation=entry, until=row.until[:16].replace("T", " ")))


@derogation.command("end")
def derogation_end(
    entry: NumberArgument, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:  # fmt: skip
    """End a derogation at once.

    Exit codes: 0 ended, 1 it is not open, 2 wrong usage.
    """
    from labmw.lab.controlling import end_derogation

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(settings, end_derogation(decision(settings, why, by, tongue, tightens=True), entry), tongue)
    typer.echo(say("qc-derogation-ended", tongue, derogation=entry))


@derogation.command("list")
def derogation_list(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List derogations that nobody has ended.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.qc_view import derogations
    from labmw.store.statements.control import derogations_open
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(derogations_open(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        derogations(console(), tongue, settings, rows)


def _close(
    identifier: str, number_: str, why: str, by: str | None, config: Path | None, language: LanguageOption
) -> None:
    from labmw.lab.controlling import close_lot

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    ended = decide(settings, close_lot(decision(settings, why, by, tongue), identifier.strip(), number_), tongue)
    typer.echo(say("qc-lot-closed", tongue, material=identifier, lot=number_ or "-", targets=ended))
