"""labmw store key: make the first store key, replace it, give up one that is lost. labmw store encrypt: encrypt what lies open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ByOption, ConfigOption, LanguageOption, configuration, fail, language_of
from labmw.cli.writing import UNUSABLE, look, now, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row, Transaction

NOT_DONE = 1
TOGETHER = 20  # steps for which the store is opened once

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def key() -> None:
    """The store key, under which the keys of all messages are kept: make it, replace it."""


@app.command()
def new(
    lost: Annotated[
        bool, typer.Option("--lost", help="Give up the store key of which no copy is left, with all that it encrypted.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Make the key file that the configuration names (store.key_file); an existing one is never overwritten.

    Exit codes: 0 made, 1 it may not be done, 2 wrong usage, or the file or the store cannot be written.
    """
    from labmw.errors import StoreError
    from labmw.store.encryption import key_file

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    file = _file(settings, tongue)
    needed = _current(settings, tongue)
    try:
        if needed and not lost:
            fail(say("keys-in-use", tongue, name=needed), NOT_DONE)
        known = key_file.read(file) if file.exists() else ()
        if needed and any(one.name == needed for one in known):
            fail(say("keys-not-lost", tongue, name=needed, file=file), NOT_DONE)
        made = key_file.fresh(now())
        key_file.write(file, [*known, made] if needed else [made], new=not needed)
    except StoreError as problem:
        fail(say("keys-wrong", tongue, problem=problem), UNUSABLE)
    if needed:
        _give_up(settings, file, needed, who(by), tongue)
    typer.echo(say("keys-made", tongue, file=file, name=made.name))


def _give_up(settings: Config, file: Path, lost: str, by: str, tongue: Language) -> None:
    from labmw.store.encryption.changing import give_up
    from labmw.store.encryption.keyring import Keyring
    from labmw.store.statements.audit import audited

    site, ring = settings.site.id, Keyring(file)

    def script() -> Transaction[Sequence[Row]]:
        at = now()
        sessions = yield from give_up(ring, lost, at)
        yield audited(site, at=at, who=by, what="store-key-lost", subject=f"store-key/{lost}", sessions=len(sessions))
        return sessions

    (sessions,) = write(settings, script(), tongue=tongue)
    links = ", ".join(sorted({one.link for one in sessions})) or "–"
    typer.echo(say("keys-given-up", tongue, lost=lost, sessions=len(sessions), links=links))


@app.command()
def rotate(by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None) -> None:
    """Replace the store key: every key is wrapped under a new one, and the old one leaves the file. labmw may run meanwhile.

    What a purge or the end of its time has made unreadable is then so in older pages, logs and backups too: nothing opens them any more.
    Cut off, it goes on where it was when it is called again.

    Exit codes: 0 replaced, 1 there is nothing to replace, 2 wrong usage, or the file or the store cannot be written.
    """
    from labmw.errors import StoreError
    from labmw.store.encryption import key_file
    from labmw.store.encryption.changing import begin_rotation, end_rotation, newest_key, rewrap
    from labmw.store.encryption.keyring import Keyring
    from labmw.store.statements.audit import audited

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    ring = Keyring(_file(settings, tongue))
    needed, rotating = _current(settings, tongue), _rotating(settings, tongue)
    if not needed:
        fail(say("keys-off", tongue), NOT_DONE)
    try:
        if not rotating:
            made = newest_key(ring, needed, now())

            def begin() -> Transaction[None]:
                if (yield from begin_rotation(ring, needed, now())):
                    subject = f"store-key/{made.name}"
                    yield audited(settings.site.id, at=now(), who=who(by), what="store-key-rotated", subject=subject)

            write(settings, begin(), tongue=tongue)
        count = _through(settings, lambda after: rewrap(ring, after), tongue)
        (ended,) = write(settings, end_rotation(now()), tongue=tongue)
        done_with = _destroyed(
            settings, tongue
        )  # also one that a rotation cut off at this very point has left in the file
        key_file.write(ring.file, [one for one in key_file.read(ring.file) if one.name not in done_with])
    except StoreError as problem:
        fail(say("keys-wrong", tongue, problem=problem), UNUSABLE)
    ring.reload()
    typer.echo(say("keys-rotated", tongue, name=ring.current.name, count=count, ended=", ".join(ended)))


def encrypt(config: ConfigOption = None, language: LanguageOption = None) -> None:
    """Encrypt the bytes that came before there was a key, in small steps; labmw may run meanwhile.

    Cut off, it goes on where it was when it is called again. Backups from before are not reached: destroy them.

    Exit codes: 0 everything is encrypted, 1 there is no key, 2 wrong usage, or the store cannot be written.
    """
    from labmw.errors import StoreError
    from labmw.store.encryption.changing import all_encrypted, encrypt_some
    from labmw.store.schema import ENCRYPTED, metadata
    from labmw.store.statements.archive import lying_open
    from labmw.store.transaction import ask
    from labmw.store.wiping import wipe

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    _refuse_wrong_key(settings, tongue)
    done = {name: _through(settings, partial(encrypt_some, metadata.tables[name]), tongue) for name in ENCRYPTED}
    write(settings, all_encrypted(), tongue=tongue)
    counts = {"messages": done.pop("message"), "frames": done.pop("frame"), "pieces": done.pop("journal")}
    typer.echo(say("keys-encrypted", tongue, **counts, others=sum(done.values())))
    (open_there,) = look(settings, lambda: ask(lying_open(settings.site.id)), tongue)
    if open_there.count:
        typer.echo(say("keys-archive-open", tongue, count=open_there.count))
    try:
        if not wipe(settings.store.url):
            typer.echo(say("keys-pages-left", tongue))
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)


def _through(settings: Config, step: Callable[[int], Transaction[tuple[int, int]]], tongue: Language) -> int:
    """Take steps until one finds nothing more; each is a transaction of its own, so that labmw can write in between."""
    count, after = 0, 0

    def steps() -> Transaction[tuple[int, int]]:
        nonlocal count, after
        done, last = yield from step(after)
        count, after = count + done, last or after
        return done, last

    while all(last for _, last in write(settings, *(steps() for _ in range(TOGETHER)), tongue=tongue)):
        pass
    return count


def _file(settings: Config, tongue: Language) -> Path:
    if not settings.store.key_file:
        fail(say("keys-no-file", tongue), UNUSABLE)
    return Path(settings.store.key_file)


def _current(settings: Config, tongue: Language) -> str:
    """The store key that the store uses; "" while it uses none, or is not there yet."""
    from labmw.errors import StoreError
    from labmw.store import revision_of
    from labmw.store.statements import keys
    from labmw.store.transaction import ask

    try:
        if revision_of(settings.store.url) is None:
            return ""
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    rows = look(settings, lambda: ask(keys.current()), tongue)
    return str(rows[0].name) if rows else ""


def _refuse_wrong_key(settings: Config, tongue: Language) -> None:
    from labmw.errors import StoreError
    from labmw.store.encryption.keyring import Keyring

    ring, needed = Keyring(_file(settings, tongue)), _current(settings, tongue)
    try:
        fits = not needed or ring.named(needed) is not None
    except StoreError as problem:
        fail(say("keys-wrong", tongue, problem=problem), UNUSABLE)
    if not fits:
        fail(say("keys-missing", tongue, name=needed), UNUSABLE)


def _destroyed(settings: Config, tongue: Language) -> set[str]:
    from labmw.store.statements import keys
    from labmw.store.transaction import ask

    return {row.name for row in look(settings, lambda: ask(keys.store_keys()), tongue) if row.state == "destroyed"}


def _rotating(settings: Config, tongue: Language) -> bool:
    from labmw.store.statements import keys
    from labmw.store.transaction import ask

    return any(row.state == "retired" for row in look(settings, lambda: ask(keys.store_keys()), tongue))
