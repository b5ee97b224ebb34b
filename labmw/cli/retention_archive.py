"""labmw retention archive: what goes into the archive, is it whole, where is somebody's, and how does it come back?"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from labmw.cli.house import require
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
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.archiving import Archiver
    from labmw.lab.retention import RetentionPlan
    from labmw.store import Row

T = TypeVar("T")
NOT_DONE = 1
CLASSES = ("raw", "messages", "results", "identity")

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def archive() -> None:
    """Move what is old enough into the archive, look at it, bring back a tube's."""


@app.command()
def move(
    activities: Annotated[
        Path,
        typer.Option("--activities", help="The LIS's list: patient;last_activity, a line each.", show_default=False),
    ],
    go: Annotated[
        bool, typer.Option("--go", help="Move. Without it nothing is moved: it shows what would be.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Move whoever's last activity is long enough ago (retention.archive) out of the store, into files of retention.archive_folder.

    A patient's files are on the disk before the rows go, in one step that leaves tombstones. Cut off, nothing is lost: the next call goes on.
    Who is held, has something open or is not on the list stays. labmw may run meanwhile.

    Exit codes: 0 shown or moved, 1 no role that may, 2 wrong usage, or the list, the store or the archive cannot be read or written.
    """
    from labmw.cli.retention_list import list_of
    from labmw.clock import SYSTEM
    from labmw.lab.archiving import archive_terms
    from labmw.lab.retention import plan

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    known = list_of(activities, tongue)
    terms, today = archive_terms(settings.retention), SYSTEM.now().date()
    found = look(settings, lambda: plan(settings.site.id, terms, known, today, archived=False), tongue)
    _draw(found, tongue)
    if not go:
        typer.echo(say("archive-dry", tongue))
        return
    require(settings, who(by), "retention", tongue)
    _folder(settings, tongue)
    done, kept = _with(settings, who(by), lambda archiver: _moved(archiver, found), tongue)
    for why in sorted(set(kept)):
        typer.echo(say("retention-kept", tongue, count=kept.count(why), why=say(why, tongue)))
    typer.echo(say("archive-moved", tongue, count=len(done), rows=sum(done), folder=settings.retention.archive_folder))


@app.command("list")
def list_(
    specimen: Annotated[str, typer.Option("--specimen", help="Only what holds something of this tube.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List what is in the archive: each removal with its classes, rows and bytes.

    Exit codes: 0 listed, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements import archive as stored
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site = settings.site.id
    step = stored.named(site, "specimen", [specimen.strip()]) if specimen.strip() else stored.pieces(site)
    rows = [row for row in look(settings, lambda: ask(step), tongue) if row.state != "noted"]
    if as_json:
        typer.echo(json.dumps([_told(row) for row in rows], ensure_ascii=False, indent=2))
        return
    if not rows:
        code = "archive-nothing" if specimen.strip() else "archive-list-empty"
        typer.echo(say(code, tongue, what=specimen.strip()))
        return
    from rich.table import Table

    heads = ("name", "moved", "class", "state", "rows", "bytes")
    table = Table(*(say(f"archive-head-{head}", tongue) for head in heads))
    for row in rows:
        state = say(f"archive-state-{row.state}", tongue)
        words = (row.name, (row.closed_at or "")[:10], say(f"retention-class-{row.of}", tongue), state)
        table.add_row(*words, str(row.rows), str(row.size))
    console().print(table)
    typer.echo(say("archive-listed", tongue, count=len({row.name for row in rows}), files=len(rows)))


@app.command()
def verify(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """Read the whole archive: is every file there and as it was written, and does every manifest follow the one before it?

    Exit codes: 0 whole, 1 something is wrong, 2 wrong usage, or the store or the archive cannot be read.
    """
    from labmw.lab.archive_check import look_through

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    _folder(settings, tongue)
    found = _with(settings, who(None), look_through, tongue, alone=False)
    if as_json:
        faults = [{"code": one.code, "archive": one.archive, "found": one.found} for one in found.faults]
        told = {"moves": found.moves, "files": found.files, "rows": found.rows, "faults": faults}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for one in found.faults:
            typer.echo(say(one.code, tongue, archive=one.archive, found=one.found))
        code = "archive-faulty" if found.faults else "archive-whole"
        typer.echo(say(code, tongue, faults=len(found.faults), moves=found.moves, files=found.files, rows=found.rows))
    raise typer.Exit(NOT_DONE if found.faults else 0)


@app.command()
def restore(
    why: WhyOption,
    specimen: Annotated[str, typer.Argument(help="A tube: all of its patient comes back.", show_default=False)] = "",
    name: Annotated[str, typer.Option("--archive", help="Instead of a tube: one removal, as `list` names it.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Bring rows back from the archive into the store, so that `labmw audit dossier` and every other command has them again.

    They go again with the next `move`, unless a legal hold stands. labmw may run meanwhile.

    Exit codes: 0 brought back, 1 nothing of it is in the archive or no role that may, 2 wrong usage, or the store or the archive cannot be read or written.
    """
    from labmw.lab.archive_return import bring_back

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told, tube, wanted = reason_given(why, tongue), specimen.strip(), name.strip()
    if bool(tube) == bool(wanted):
        fail(say("archive-which", tongue), UNUSABLE)
    require(settings, who(by), "retention", tongue)
    _folder(settings, tongue)
    found = _with(
        settings, who(by), lambda archiver: bring_back(archiver, specimen=tube, name=wanted, why=told), tongue
    )
    if found is None:
        fail(say("archive-nothing", tongue, what=tube or wanted), NOT_DONE)
    typer.echo(say("archive-returned", tongue, what=tube or wanted, rows=found.rows, names=", ".join(found.names)))
    if found.left_out:
        typer.echo(say("archive-left-out", tongue, count=found.left_out))


def clear(settings: Config, tongue: Language) -> None:
    """Remove the files whose end is decided, where there is an archive."""
    if settings.retention.archive_folder:
        _folder(settings, tongue)
        _with(settings, "", lambda archiver: archiver.clear(), tongue)


async def _moved(archiver: Archiver, found: RetentionPlan) -> tuple[list[int], list[str]]:
    """Rows of each removal, and why others stayed."""
    done: list[int] = []
    kept: list[str] = []
    await archiver.clear()
    plan = found.as_json()
    for one in found.due:
        said = await archiver.move(plan, "patient", one)
        if isinstance(said, str):
            kept.append(said)
        elif said is not None:
            done.append(sum(said.pieces.values()))
    for kind in ("qc", "audit"):
        while (said := await archiver.move(plan, kind)) is not None and not isinstance(said, str):
            done.append(sum(said.pieces.values()))
        kept += [said] if isinstance(said, str) else []
    return done, kept


def _with(
    settings: Config, by: str, work: Callable[[Archiver], Awaitable[T]], tongue: Language, *, alone: bool = True
) -> T:
    """Work with the archive beside the daemon; ends the command when it or the store cannot be used. `alone`: no other command changes it meanwhile."""
    import asyncio
    from contextlib import nullcontext

    from labmw.errors import StoreError
    from labmw.lab.archiving import Archiver
    from labmw.store import open_store
    from labmw.store.archive.folder import ArchiveFolder
    from labmw.store.encryption.keyring import Keyring

    folder = ArchiveFolder(Path(settings.retention.archive_folder))
    ring = Keyring(Path(settings.store.key_file)) if settings.store.key_file else None

    async def run() -> T:
        store = open_store(settings.store.url, key_file=settings.store.key_file)
        await store.start()
        try:
            return await work(Archiver(settings.site.id, store, folder, ring, by, now))
        finally:
            await store.stop()

    try:
        with folder.held() if alone else nullcontext():
            return asyncio.run(run())
    except StoreError as problem:
        fail(say("archive-unusable", tongue, problem=problem), UNUSABLE)


def _folder(settings: Config, tongue: Language) -> None:
    if not settings.retention.archive_folder:
        fail(say("archive-no-folder", tongue), UNUSABLE)
    if not Path(settings.retention.archive_folder).is_dir():
        fail(say("archive-folder-missing", tongue, folder=settings.retention.archive_folder), UNUSABLE)


def _told(row: Row) -> dict[str, Any]:
    names = ("name", "kind", "state", "closed_at", "rows", "size", "digest")
    return {name: getattr(row, name) for name in names} | {"class": row.of, "encrypted": row.key is not None}


def _draw(found: RetentionPlan, tongue: Language) -> None:
    from rich.table import Table

    table = Table(*(say(f"retention-head-{head}", tongue) for head in ("class", "years", "due")))
    for name in CLASSES:
        due = sum(name in one.classes for one in found.due)
        table.add_row(say(f"retention-class-{name}", tongue), str(found.years[name]), str(due))
    table.add_row(say("retention-class-qc", tongue), str(found.years["qc"]), str(found.qc))
    table.add_row(say("retention-class-audit", tongue), str(found.years["audit"]), str(found.audit))
    console().print(table)
    for why in sorted({one.why for one in found.kept}):
        count = sum(one.why == why for one in found.kept)
        typer.echo(say("retention-kept", tongue, count=count, why=say(why, tongue)))
