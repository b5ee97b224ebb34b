"""labmw status: what is in trouble, one sentence each, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.watch.finding import Finding

NEEDS_A_PERSON = 1
UNUSABLE = 2
STYLES = {"error": "bold red", "warning": "yellow", "good": "green"}


def status(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """Say what is in trouble, and what to do about it; works whether or not labmw runs.

    Urgent things come first. Patients are never named, only specimens.

    Exit codes: 0 all is well, 1 something needs a person, 2 wrong usage, or the configuration or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.clock import SYSTEM
    from labmw.errors import StoreError
    from labmw.line.registry import Registry
    from labmw.watch.archive import archive
    from labmw.watch.certificates import certificates
    from labmw.watch.finding import Weight
    from labmw.watch.inspection import drivers, packs
    from labmw.watch.keys import keys
    from labmw.watch.snapshot import take
    from labmw.watch.trouble import Telling, troubles

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    try:
        snapshot = take(settings)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    telling = Telling(tongue, SYSTEM.now(), ZoneInfo(settings.site.timezone))
    found = troubles(settings, snapshot, telling)
    registry = Registry.find([settings.drivers.folder] if settings.drivers.folder else [])
    unchanging = [*drivers(registry), *packs(settings), *certificates(settings, SYSTEM.now()), *keys(settings)]
    unchanging += archive(settings, SYSTEM.now())
    found += [finding for finding in unchanging if finding.weight is not Weight.GOOD]
    order = {Weight.ERROR: 0, Weight.WARNING: 1, Weight.GOOD: 2}
    found.sort(key=lambda finding: order[finding.weight])
    errors = sum(finding.weight is Weight.ERROR for finding in found)
    warnings = sum(finding.weight is Weight.WARNING for finding in found)
    if as_json:
        rows = [finding.row(tongue) for finding in found]
        whole = {
            "site": settings.site.id,
            "running": snapshot.served_by is not None,
            "errors": errors,
            "warnings": warnings,
            "findings": rows,
        }
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=2))
    else:
        _show(found, tongue)
        code = "status-bad" if errors or warnings else "status-good"
        typer.echo(say(code, tongue, site=settings.site.name or settings.site.id, errors=errors, warnings=warnings))
    raise typer.Exit(NEEDS_A_PERSON if errors or warnings else 0)


def _show(found: Sequence[Finding], language: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for finding in found:
        weight = Text(say(f"check-weight-{finding.weight.value}", language), STYLES[finding.weight.value])
        grid.add_row(weight, Text(finding.sentence(language)))
    console().print(grid)
