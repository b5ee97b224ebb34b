"""labmw audit: can the record be believed, and what does it say of one specimen?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, fail, language_of
from labmw.cli.writing import look
from labmw.phrases import say

if TYPE_CHECKING:
    from labmw.lab.sealing import Verified
    from labmw.store import Row, Transaction
    from labmw.watch.evidence import Evidence

BROKEN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def audit() -> None:
    """Verify that nobody has touched the audit; export it; put together everything there is on one specimen."""


@app.command()
def verify(
    config: ConfigOption = None,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect", help="A hash that was shown before: it must still be in the chain.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Compute the chain of the audit again and compare it, seal by seal. Keep the hash it shows elsewhere.

    Exit codes: 0 it holds, 1 it is broken, 2 wrong usage, or the store cannot be read.
    """
    from dataclasses import asdict

    from labmw.lab.sealing import verify as chain

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    hash_ = None if expect is None else expect.strip()
    if hash_ == "":  # an empty variable of a script is no proof
        fail(say("audit-no-hash", tongue), UNUSABLE)
    found = look(settings, lambda: chain(settings.site.id), tongue)
    known = hash_ is None or look(settings, lambda: _known(settings.site.id, hash_), tongue)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"expected_found": known}, ensure_ascii=False, indent=2))
    else:
        code = "audit-broken" if found.broken else "audit-holds" if known else "audit-other"
        typer.echo(say(code, tongue, **asdict(found) | {"expected": hash_}))
    raise typer.Exit(BROKEN if found.broken or not known else 0)


@app.command()
def dossier(
    specimen: Annotated[str, typer.Argument(help="The specimen's identifier, as on the tube.", show_default=False)],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="A new folder for the files; otherwise it is printed.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Put together what an auditor asks for: bytes, mapping and driver, the rules of that day, who decided what, and what left for whom.

    Names of patients are in it. In a folder, each message is a file of its own bytes, and SHA256SUMS covers everything.

    Exit codes: 0 done, 1 nothing is known of this specimen, or it is in the archive, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.cli.story import Manner, tell
    from labmw.store.encryption.envelope import Unreadable
    from labmw.watch.evidence import evidence

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    wanted, site = specimen.strip(), settings.site.id

    def everything() -> Transaction[tuple[Evidence, list[Row], Verified, list[Row]]]:
        from labmw.lab.sealing import verify as chain
        from labmw.store.statements.archive import named
        from labmw.store.statements.audit import audit_about

        found = yield from evidence(site, wanted)
        trail = yield audit_about(site, _subjects(found))
        away = yield named(site, "specimen", [wanted])
        return found, trail, (yield from chain(site)), away

    found, trail, chain, away = look(settings, everything, tongue)
    if away and not found.story.results:
        names = ", ".join(dict.fromkeys(row.name for row in away))
        fail(say("archive-of-specimen", tongue, specimen=wanted, names=names), BROKEN)
    if not (found.story.results or found.story.specimens or found.story.orders):
        fail(say("story-unknown", tongue, specimen=wanted, alike="–"), BROKEN)
    manner = Manner(tongue, ZoneInfo(settings.site.timezone), identity=True)
    whole: dict[str, Any] = {
        "specimen": wanted,
        "site": site,
        "story": tell(wanted, found, manner),
        "audit": [row.mapping() | {"detail": json.loads(row.detail)} for row in trail],
        "archived": [{"archive": row.name, "class": row.of, "moved": row.closed_at, "rows": row.rows} for row in away],
        "chain": {"hash": chain.hash, "sealed_at": chain.sealed_at, "rows": chain.sealed, "broken": chain.broken},
    }
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    if to is None:
        typer.echo(text)
        return
    files = {"dossier.json": text.encode()}
    files |= {
        f"message-{row.id}.bin": bytes(row.raw) for row in found.story.messages if not isinstance(row.raw, Unreadable)
    }
    for row in found.story.outbox:
        files |= {f"outbox-{row.id}-sent.hl7": bytes(row.payload)} if row.payload is not None else {}
        files |= {f"outbox-{row.id}-receipt.hl7": bytes(row.receipt)} if row.receipt is not None else {}
    try:
        to.mkdir(parents=True, mode=0o700)
        for name, data in files.items():
            (to / name).write_bytes(data)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
        (to / "SHA256SUMS").write_text(sums, encoding="ascii")
    except OSError as problem:
        fail(say("audit-unwritten", tongue, file=to, problem=problem.strerror), UNUSABLE)
    typer.echo(say("audit-dossier", tongue, folder=to, files=len(files), rows=len(trail)))


@app.command()
def export(
    form: Annotated[
        str, typer.Option("--format", help="rfc5424, or atna: the same lines with DICOM's XML.")
    ] = "rfc5424",
    out: Annotated[Path | None, typer.Option("--out", help="A new file; otherwise it is printed.")] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Only what follows this seq: what is new.")] = 0,
    check: Annotated[
        Path | None, typer.Option("--check", help="Export nothing: say whether this exported file is whole.")
    ] = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Write the audit as syslog lines (RFC 5424), numbered and chained, so that a gap shows wherever they are kept.

    Exit codes: 0 written, or whole; 1 the file is not whole; 2 wrong usage, or the store cannot be read.
    """
    import os
    import socket

    from labmw.watch.audit_export import check as gaps
    from labmw.watch.audit_export import export as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if form not in ("rfc5424", "atna"):
        fail(say("audit-format", tongue, form=form), UNUSABLE)
    try:
        if check is not None:
            with check.open(encoding="utf-8", newline="\n") as lines:
                count, wrong = gaps(lines)
            typer.echo(say("audit-export-broken" if wrong else "audit-export-whole", tongue, count=count, why=wrong))
            raise typer.Exit(BROKEN if wrong else 0)
        place = out.open("x", encoding="utf-8", newline="\n") if out else None
        if out:
            out.chmod(0o600)
    except (OSError, UnicodeDecodeError) as problem:
        code = "retention-list-unreadable" if check is not None else "audit-unwritten"
        fail(say(code, tongue, file=check or out, problem=problem), UNUSABLE)
    write = (lambda line: place.write(line + "\n")) if place else typer.echo
    host, process = socket.gethostname(), str(os.getpid())
    found = look(settings, lambda: script(settings.site.id, form, host, process, write, after), tongue)
    if place:
        place.close()
        typer.echo(say("audit-exported", tongue, file=out, count=found.lines, hash=found.hash))


def _subjects(found: Evidence) -> list[str]:
    story = found.story
    return sorted(
        {f"result/{row.id}" for row in story.results}
        | {f"message/{row.id}" for row in story.messages}
        | {f"outbox/{row.id}" for row in story.outbox}
    )


def _known(site: str, expected: str) -> Transaction[bool]:
    from labmw.lab.sealing import BATCH
    from labmw.store.statements.audit import seals_after

    last = 0
    while seals := (yield seals_after(site, last, most=BATCH)):
        if any(one.hash == expected for one in seals):
            return True
        last = seals[-1].last
    return False
