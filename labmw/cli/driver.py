"""labmw driver: which analyzers can be read, and what is known of each?"""

from __future__ import annotations

import ast
import json
import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.driver_new import new
from labmw.cli.options import JsonOption, LanguageOption, console, fail, language_of
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.driver.declaration import Driver
    from labmw.driver.ordering import OrderDialect
    from labmw.line.registry import Registry

UNKNOWN = 2

FolderOption = Annotated[
    Path | None, typer.Option("--drivers", help="A folder of the laboratory's own driver files.", show_default=False)
]

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
app.command()(new)


@app.callback()
def driver() -> None:
    """Show the drivers: which analyzers they read, and what proves each; begin a new one."""


@app.command("list")
def list_(drivers: FolderOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the drivers: maker, models, evidence, protocol, the digest of the mapping, how many tests are mapped.

    Evidence climbs: unverified, restated, manual, capture, bench, routine. Drivers that nothing proves are listed apart: what they read goes to quarantine.

    Exit codes: 0 listed, 1 a driver file cannot be used (it is told on standard error), 2 wrong usage.
    """
    from labmw.cli.driver_view import draw_list
    from labmw.line.registry import Registry

    registry = Registry.find([drivers] if drivers else [])
    tongue = language_of(None, language)
    known = sorted(registry.drivers.values(), key=lambda one: one.name)
    if as_json:
        typer.echo(json.dumps([row(one) for one in known], ensure_ascii=False, indent=2))
    else:
        draw_list(console(), known, tongue)
    raise typer.Exit(_troubles(registry, tongue))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A driver's name, as `labmw driver list` shows it.", show_default=False)],
    drivers: FolderOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show one driver: its tests with LOINC and UCUM, the traps of its family, and its source.

    Exit codes: 0 shown, 1 a driver file cannot be used (it is told on standard error), 2 there is no such driver.
    """
    from labmw.cli.driver_view import draw
    from labmw.line.registry import Registry

    registry = Registry.find([drivers] if drivers else [])
    tongue = language_of(None, language)
    found = registry.drivers.get(name)
    if found is None:
        nearest = sorted(sorted(registry.drivers), key=lambda one: -SequenceMatcher(None, name, one).ratio())
        fail(say("driver-unknown", tongue, name=name, names=", ".join(nearest)), UNKNOWN)
    if as_json:
        typer.echo(json.dumps(whole(found, tongue), ensure_ascii=False, indent=2))
    else:
        draw(console(), found, whole(found, tongue), tongue)
    raise typer.Exit(_troubles(registry, tongue))


def row(driver: Driver) -> dict[str, Any]:
    """A driver in one line."""
    return {
        "name": driver.name,
        "maker": driver.maker,
        "models": list(driver.models),
        "evidence": driver.evidence.name.lower(),
        "protocol": driver.protocol,
        "mapping_version": driver.mapping_version,
        "tests": len(driver.tests),
    }


def whole(driver: Driver, language: Language) -> dict[str, Any]:
    """Everything that can be said of a driver."""
    from labmw.driver.declaration import Hl7Driver
    from labmw.driver.traps import traps

    said = docstring(driver)
    source = re.search(r"(?ms)^Source:\s*(.*?)\s*^Evidence:", said)
    tests = [
        {
            "code": code,
            "name": test.name,
            "loinc": test.loinc,
            "unit": test.unit,
            "also": list(test.also),
            "words": list(test.values),
            "index": test.index,
        }
        for code, test in driver.tests.items()
    ]
    return {
        **row(driver),
        "recognises": driver.recognises,
        "orders": driver.orders is not None or (isinstance(driver, Hl7Driver) and driver.awos is not None),
        "dialect": dialect_told(driver.orders) if driver.orders is not None else None,
        "tests": tests,
        "traps": [{"code": code, "text": say(code, language, **dict(facts))} for code, facts in traps(driver)],
        "source": " ".join(source[1].split()) if source else "",
        "captures": re.findall(r"corpus:([\w./-]+\w)", said),
        "says": [
            " ".join(one.split()) for one in (said[: source.start()] if source else said).split("\n\n") if one.strip()
        ],
        "file": driver.file,
    }


def dialect_told(dialect: OrderDialect) -> dict[str, Any]:
    """How a family is told what to do, place by place, each with what says so; "" for the standard's own form."""
    from labmw.driver.ordering import chosen

    return {
        "places": [{"place": one.place, "text": one.text, "source": one.source} for one in chosen(dialect)],
        "codes": dict(dialect.codes) if dialect.codes is not None else None,
        "patience": dialect.patience,
        "frame": dialect.frame,
        "unasked": dialect.keeps_worklist,
        "cancels": bool(dialect.cancel),
    }


def docstring(driver: Driver) -> str:
    """What a driver's file says of itself."""
    return ast.get_docstring(ast.parse(Path(driver.file).read_text(encoding="utf-8"))) or ""


def _troubles(registry: Registry, language: Language) -> int:
    """Tell on standard error which files are not used, and which of the laboratory's own are; 1 when a file cannot be used."""
    for name, file in registry.replaced.items():
        typer.echo(say("driver-replaced", language, name=name, file=file), err=True)
    for problem in registry.broken.values():
        typer.echo(say("driver-unused", language, problem=problem), err=True)
    return 1 if registry.broken else 0
