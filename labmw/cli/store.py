"""labmw store: is what we keep sound, and where is its copy?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.store_key import app as key_app
from labmw.cli.store_key import encrypt
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config

FAULTS = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)

app.add_typer(key_app, name="key")
app.command()(encrypt)

StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Another store than the configuration's: its address.", show_default=False),
]


@app.callback()
def store() -> None:
    """Bring the store up to date, check it, encrypt it, back it up, restore it, export it."""


@app.command()
def migrate(config: ConfigOption = None, at: StoreOption = None, language: LanguageOption = None) -> None:
    """Make the store, or bring an older one up to date; labmw must not be running. `labmw serve` does it too.

    A store of a newer labmw is refused: there is no way back but the backup made before the upgrade.

    Exit codes: 0 it is up to date, 2 it cannot be used.
    """
    from labmw.errors import StoreError
    from labmw.store import migrate as bring_up_to_date
    from labmw.store import place_of, revision_of
    from labmw.store.lock import LOOKERS, hold

    settings, url = _chosen(config, at)
    tongue = language_of(settings, language)
    try:
        with hold(url, LOOKERS):
            before = revision_of(url)
            bring_up_to_date(url)
            after = revision_of(url)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    code = "store-made" if before is None else "store-migrated" if before != after else "store-current"
    typer.echo(say(code, tongue, store=place_of(url), before=before or "", after=after or ""))


@app.command()
def check(
    config: ConfigOption = None, at: StoreOption = None, as_json: JsonOption = False, language: LanguageOption = None
) -> None:
    """Look for what must never be: a damaged file, a result lost or doubled, a state without what must stand beside it.

    Reads everything; works whether or not labmw runs.

    Exit codes: 0 sound, 1 faults found, 2 the store cannot be read.
    """
    from labmw.errors import StoreError
    from labmw.store import place_of
    from labmw.store.checking import check as look

    settings, url = _chosen(config, at)
    tongue = language_of(settings, language)
    try:
        found = look(url, settings.site.id)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    faults = sum(one.faults for one in found)
    if as_json:
        rows = [
            {"check": one.code, "question": say(one.code, tongue), "faults": one.faults, "examples": list(one.examples)}
            for one in found
        ]
        typer.echo(json.dumps({"store": place_of(url), "faults": faults, "checks": rows}, ensure_ascii=False, indent=2))
    else:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, justify="right")
        grid.add_column(overflow="fold", ratio=1)
        for one in found:
            weight = Text("✓", "green") if not one.faults else Text(str(one.faults), "bold red")
            grid.add_row(weight, Text("\n".join((say(one.code, tongue), *one.examples))))
        console().print(grid)
        typer.echo(say("store-faulty" if faults else "store-sound", tongue, store=place_of(url), faults=faults))
    raise typer.Exit(FAULTS if faults else 0)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", show_default=False)],
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Write the whole store, as it is at one moment, to a file; labmw may run meanwhile.

    The file is itself a store (SQLite), whichever database it comes from; its checksum is laid beside it. It holds patients: keep it as you keep the store.

    Exit codes: 0 written, 2 it could not be.
    """
    from labmw.errors import StoreError
    from labmw.store.copying import backup as write

    settings, url = _chosen(config, None)
    tongue = language_of(settings, language)
    try:
        copied = write(url, file)
    except StoreError as problem:
        fail(say("store-not-copied", tongue, problem=problem), UNUSABLE)
    typer.echo(say("store-backed-up", tongue, file=file, results=copied.rows["result"], rows=copied.total))
    _tell_of_key(f"sqlite:///{file}", tongue)
    if settings.retention.archive_folder:
        typer.echo(say("store-archive-beside", tongue, folder=settings.retention.archive_folder))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `labmw store backup` has written.", show_default=False)],
    into: Annotated[str, typer.Option("--into", help="The address of the new store.", show_default=False)],
    language: LanguageOption = None,
) -> None:
    """Make a new store of a backup, in a file or a PostgreSQL database, all or nothing; an existing store is never overwritten.

    Exit codes: 0 restored, 2 it could not be.
    """
    from labmw.errors import StoreError
    from labmw.store import place_of
    from labmw.store.copying import restore as read

    tongue = language_of(None, language)
    try:
        copied = read(file, into)
    except StoreError as problem:
        fail(say("store-not-copied", tongue, problem=problem), UNUSABLE)
    typer.echo(say("store-restored", tongue, store=place_of(into), results=copied.rows["result"], rows=copied.total))
    _tell_of_key(into, tongue)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder.", show_default=False)],
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Write every row as a line of JSON, one file per table, to be read without labmw; bytes are in base64. It holds patients.

    Exit codes: 0 written, 2 it could not be.
    """
    from labmw.errors import StoreError
    from labmw.store.copying import export as write

    settings, url = _chosen(config, None)
    tongue = language_of(settings, language)
    try:
        copied = write(url, folder, key_file=settings.store.key_file)
    except StoreError as problem:
        fail(say("store-not-copied", tongue, problem=problem), UNUSABLE)
    typer.echo(say("store-exported", tongue, folder=folder, tables=len(copied.rows), rows=copied.total))


def _tell_of_key(url: str, tongue: Language) -> None:
    """Say of a copy with encrypted bytes which store key it takes to read them."""
    from labmw.store import read_sync
    from labmw.store.statements import keys

    for row in read_sync(url, keys.current().statement):
        typer.echo(say("keys-backup", tongue, name=row.name))


def _chosen(config: Path | None, at: str | None) -> tuple[Config, str]:
    """The configuration, and the address of the store that is meant."""
    settings = configuration(config, UNUSABLE)
    return settings, at or settings.store.url
