"""labmw check: can labmw run with this configuration?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import JsonOption, LanguageOption, console, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.watch.finding import Finding

WRONG = 1
STYLES = {"error": "bold red", "warning": "yellow", "good": "green"}


def check(
    file: Annotated[Path, typer.Argument(help="The configuration file to check.", show_default=False)],
    live: Annotated[
        bool, typer.Option("--live", help="Also open the devices, dial the hosts and listen on the ports.")
    ] = False,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Check a configuration without running it: the file, the store, drivers, rule packs and their signatures, addresses.

    What is absent at the moment (a device, a host name) is a warning. With --live each wire is really tried, and what fails is an error.
    Nothing is written, and while labmw runs on this store nothing is tried.

    Exit codes: 0 usable (there may be warnings), 1 errors were found, 2 wrong usage.
    """
    from labmw.watch.finding import Weight
    from labmw.watch.inspection import inspect

    inspection = inspect(file)
    tongue = language_of(inspection.config, language)
    findings = list(inspection.findings)
    if live and inspection.config is not None:
        findings += _tried(inspection.config, tongue)
    errors = sum(finding.weight is Weight.ERROR for finding in findings)
    warnings = sum(finding.weight is Weight.WARNING for finding in findings)
    if as_json:
        rows = [finding.row(tongue) for finding in findings]
        found = {"file": str(file), "usable": not errors, "errors": errors, "warnings": warnings, "findings": rows}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(file, findings, tongue)
        code = "check-summary-bad" if errors else "check-summary-good"
        typer.echo(say(code, tongue, file=file, errors=errors, warnings=warnings))
    raise typer.Exit(WRONG if errors else 0)


def _tried(config: Config, language: Language) -> list[Finding]:
    """Try every wire, with a bar while a person waits."""
    from rich.console import Console
    from rich.progress import Progress

    from labmw.watch.attempt import attempts, in_use

    if busy := in_use(config):
        return [busy]
    found: list[Finding] = []
    todo = list(attempts(config))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(todo))
        for attempt in todo:
            progress.update(
                bar, description=say("check-live-trying", language, name=attempt.subject, place=attempt.place)
            )
            found.append(attempt.make())
            progress.advance(bar)
    return found


def _show(file: Path, findings: Sequence[Finding], language: Language) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    order = {"error": 0, "warning": 1, "good": 2}
    table = Table(
        box=box.SIMPLE_HEAD, title=say("check-heading", language, file=file), title_justify="left", pad_edge=False
    )
    table.add_column("", no_wrap=True)
    table.add_column(say("check-column-what", language), overflow="fold", max_width=30)
    table.add_column(say("check-column-so", language), overflow="fold", ratio=1)
    for finding in sorted(findings, key=lambda one: order[one.weight.value]):
        weight = Text(say(f"check-weight-{finding.weight.value}", language), STYLES[finding.weight.value])
        table.add_row(weight, Text(finding.subject), Text(finding.sentence(language)))
    console().print(table)
