"""labmw interlab catalogue: what partners perform: loaded, written out, and what of it is not mapped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from labmw.cli.options import (
    ByOption,
    ConfigOption,
    JsonOption,
    LanguageOption,
    configuration,
    console,
    fail,
    language_of,
)
from labmw.cli.writing import UNUSABLE, look, now, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.partner import Partner

REFUSED = 1
SHOWN = 20  # faults of a file; who has mended these sees the next

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Load, write out and check catalogues."
)

Name = Annotated[str, typer.Argument(help="The partner.", show_default=False)]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the versions of every partner's catalogue.

    Exit codes: 0 shown, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements.partners import catalogue_versions
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(catalogue_versions(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
        return
    for row in rows:
        until = row.valid_to[:10] if row.valid_to else "…"
        typer.echo(
            say(
                "catalogue-version",
                tongue,
                partner=row.partner,
                version=row.version,
                since=row.valid_from[:10],
                until=until,
                count=row.entries,
            )
        )
    if not rows:
        typer.echo(say("catalogue-none", tongue))


@app.command("import")
def import_(
    partner: Name,
    file: Annotated[
        Path, typer.Argument(help="CSV with a header line, or a FHIR R4 Bundle (.json).", show_default=False)
    ],
    version: Annotated[str, typer.Option("--version", help="How the partner calls this version.", show_default=False)],
    since: Annotated[
        str, typer.Option("--from", help="Valid from this day on, as 2026-03-01; when not given, now.")
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Load a version of a partner's catalogue: all of the file, or nothing when one line is wrong.

    Exit codes: 0 loaded, 1 something is wrong with the file, 2 wrong usage, or the store cannot be written.
    """
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from labmw.clock import stamp
    from labmw.lab.catalogue_files import UnreadableCatalogue, from_csv, from_fhir
    from labmw.lab.partner_catalogue import keep_catalogue

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    _partner(settings, partner, tongue)
    valid_from = now()
    if since:
        try:
            valid_from = stamp(datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(settings.site.timezone)))
        except ValueError:
            fail(say("interlab-no-moment", tongue, text=since), UNUSABLE)
    try:
        text = file.read_text(encoding="utf-8-sig")
        entries, faults = (from_fhir if file.suffix == ".json" else from_csv)(text)
    except (OSError, UnicodeDecodeError, UnreadableCatalogue) as problem:
        fail(say("interlab-unreadable", tongue, file=file, problem=problem), REFUSED)
    for fault in faults[:SHOWN]:
        sentence = say(fault.reason, tongue, **dict(fault.facts))
        typer.echo(say("history-fault", tongue, file=file, line=fault.line, fault=sentence), err=True)
    if faults or not entries:
        fail(say("catalogue-refused", tongue, file=file, count=len(faults)), REFUSED)
    step = keep_catalogue(settings.site.id, partner, version, valid_from, entries, who(by), now())
    (kept,) = write(settings, step, tongue=tongue)
    if not kept:
        fail(say("catalogue-there", tongue, partner=partner, version=version), REFUSED)
    typer.echo(say("catalogue-loaded", tongue, partner=partner, version=version, count=len(entries)))


@app.command()
def export(
    partner: Name,
    form: Annotated[str, typer.Option("--format", help="csv or fhir.")] = "csv",
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Write the catalogue that is valid now to standard output.

    Exit codes: 0 written, 2 wrong usage, or the store cannot be read.
    """
    from labmw.lab.catalogue_files import to_csv, to_fhir
    from labmw.lab.partner_catalogue import entry_of
    from labmw.store.statements.partners import catalogue_at
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    _partner(settings, partner, tongue)
    if form not in ("csv", "fhir"):
        fail(say("catalogue-format", tongue, form=form), UNUSABLE)
    rows = look(settings, lambda: ask(catalogue_at(settings.site.id, partner, now())), tongue)
    entries = [entry_of(row) for row in rows]
    if form == "csv":
        typer.echo(to_csv(entries), nl=False)
    else:
        first = rows[0] if rows else None
        typer.echo(
            to_fhir(entries, partner, first.version if first else "", first.valid_from if first else now()), nl=False
        )


@app.command()
def unmapped(
    partner: Name, config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None
) -> None:
    """List what is not mapped: tests of ours that leave for the partner without a code of its own, and codes without a test of ours.

    Exit codes: 0 all is mapped, 1 something is not, 2 wrong usage, or the store cannot be read.
    """
    from dataclasses import asdict

    from labmw.lab.partner_catalogue import unmapped as not_mapped
    from labmw.store.statements.partners import catalogue_at
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    agreed = _partner(settings, partner, tongue)
    rows = look(settings, lambda: ask(catalogue_at(settings.site.id, partner, now())), tongue)
    found = not_mapped(agreed, rows)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            console().print(
                say(f"catalogue-unmapped-{one.what}", tongue, code=one.code, name=one.name or "–"), markup=False
            )
        typer.echo(say("catalogue-unmapped", tongue, partner=partner, count=len(found)))
    raise typer.Exit(REFUSED if found else 0)


def _partner(settings: Config, name: str, tongue: Language) -> Partner:
    for one in settings.partners:
        if one.name == name:
            return one
    return _no_partner(settings, name, tongue)


def _no_partner(settings: Config, name: str, tongue: Language) -> NoReturn:
    names = ", ".join(one.name for one in settings.partners) or "–"
    fail(say("interlab-no-partner", tongue, partner=name, partners=names), UNUSABLE)
