"""labmw retention: what is kept how long, what must stay, and how is something destroyed for good?"""

from __future__ import annotations

import json
import secrets
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from labmw.cli.retention_archive import app as archive_app
from labmw.cli.retention_archive import clear
from labmw.cli.retention_list import list_of
from labmw.cli.writing import UNUSABLE, look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.destruction import Destruction, Signed
    from labmw.lab.retention import RetentionPlan

NOT_DONE = 1
TOGETHER = 200  # patients for whom the store is opened once; each is a transaction of its own

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(archive_app, name="archive")
Patient = Annotated[str, typer.Argument(help="The patient's number, as the LIS tells it.", show_default=False)]


@app.callback()
def retention() -> None:
    """Say what is kept how long; archive it, hold a patient's data, let go of them, destroy by a signed plan."""


@app.command()
def plan(
    activities: Annotated[
        Path | None,
        typer.Option("--activities", help="The LIS's list: patient;last_activity, a line each.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the plan to a new file, to be signed.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """Show whose time is over and what would be destroyed. It destroys nothing. Who is not on the LIS's list is kept.

    Exit codes: 0 shown, 2 wrong usage, the list cannot be read, or the store cannot be read.
    """
    from labmw.clock import SYSTEM
    from labmw.lab.retention import Activities
    from labmw.lab.retention import plan as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    known = list_of(activities, tongue) if activities is not None else Activities({}, "")
    today = SYSTEM.now().date()
    found = look(settings, lambda: script(settings.site.id, settings.retention, known, today), tongue)
    whole = found.as_json() | {"digest": found.digest}
    if out is not None:
        _create(out, json.dumps(whole, ensure_ascii=False, indent=1), tongue)
    if as_json:
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=2))
        return
    _draw(found, settings, tongue)
    if out is not None:
        typer.echo(say("retention-planned", tongue, file=out, digest=found.digest))


@app.command()
def hold(
    patient: Patient, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Destroy nothing of this patient, whatever a plan says, until `labmw retention release`.

    Exit codes: 0 held, 1 no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.retention import hold as script
    from labmw.lab.retention import known_here

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    if not patient.strip():
        fail(say("retention-no-patient", tongue), UNUSABLE)
    require(settings, who(by), "retention", tongue, "stop")
    write(settings, script(settings.site.id, patient.strip(), at=now(), by=who(by), why=told), tongue=tongue)
    typer.echo(say("retention-held", tongue, patient=patient.strip()))
    if not look(settings, lambda: known_here(settings.site.id, patient.strip()), tongue):
        typer.echo(say("retention-stranger", tongue, patient=patient.strip()))


@app.command()
def release(
    patient: Patient, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """End the legal hold on a patient.

    Exit codes: 0 released, 1 there is no hold, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.retention import release as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    decided = {"at": now(), "by": who(by), "why": told}
    require(settings, decided["by"], "retention", tongue)
    if not write(settings, script(settings.site.id, patient.strip(), **decided), tongue=tongue)[0]:
        fail(say("retention-not-held", tongue, patient=patient.strip()), NOT_DONE)
    typer.echo(say("retention-released", tongue, patient=patient.strip()))


@app.command()
def destroy(
    plan: Annotated[Path, typer.Argument(help="What `labmw retention plan --out` has written.", show_default=False)],
    signature: Annotated[
        Path, typer.Option("--signature", help="TOML with digest, who, role and at of whoever has signed the plan.")
    ],
    certificate: Annotated[Path, typer.Option("--certificate", help="Where the deletion certificate goes.")],
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Destroy what a signed plan says, for good. It ships switched off: retention.destruction = true allows it.

    Run again after a crash, with the same files, it goes on where it was. Backups are not reached: destroy those that are older.

    Exit codes: 0 destroyed, 1 it may not be done, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.destruction import Destruction

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if not settings.retention.destruction:
        fail(say("retention-off", tongue), NOT_DONE)
    chosen, signed = _agreed(plan, signature, settings, tongue)
    require(settings, signed.who, "retention", tongue)
    work = Destruction(settings.site.id, chosen, _salt(certificate, signed, tongue))
    if not write(settings, work.begin(signed, now()), tongue=tongue)[0]:
        fail(say("retention-done-before", tongue, number=work.number), NOT_DONE)
    kept = _carry_out(settings, work, tongue)
    clear(settings, tongue)
    (digest,) = write(settings, work.close(signed, now()), tongue=tongue)
    _certify(certificate, work, signed, digest, kept, tongue)
    typer.echo(say("retention-destroyed", tongue, number=work.number, file=certificate, kept=len(kept)))
    _wipe(settings, tongue)


def _carry_out(settings: Config, work: Destruction, tongue: Language) -> list[list[str]]:
    kept: list[list[str]] = []
    for start in range(0, len(work.due), TOGETHER):
        some = work.due[start : start + TOGETHER]
        done = write(settings, *(work.patient(one, now()) for one in some), tongue=tongue)
        kept += [[one.patient, say(why, tongue)] for one, why in zip(some, done, strict=True) if why]
    while write(settings, work.controls(now()), tongue=tongue)[0]:
        pass
    while write(settings, work.audit(now()), tongue=tongue)[0]:
        pass
    write(settings, work.aged(now()), tongue=tongue)
    return kept


def _agreed(plan: Path, signature: Path, settings: Config, tongue: Language) -> tuple[dict[str, Any], Signed]:
    """The plan and the signature over it, or the end of the command."""
    from labmw.lab.destruction import Signed
    from labmw.lab.retention import digest_of

    try:
        chosen: dict[str, Any] = json.loads(plan.read_bytes())
        said = tomllib.loads(signature.read_text(encoding="utf-8"))
        digest = chosen.pop("digest")
        signed = Signed(str(said["digest"]), str(said["who"]), str(said["role"]), str(said["at"]))
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as problem:
        fail(say("retention-files", tongue, problem=f"{type(problem).__name__}: {problem}"), UNUSABLE)
    if chosen.get("schema") != "labmw-retention/1" or chosen.get("site") != settings.site.id:
        fail(say("retention-files", tongue, problem=f"{plan}: schema, site"), UNUSABLE)
    if not digest_of(chosen) == digest == signed.plan or not signed.who.strip() or not signed.role.strip():
        fail(say("retention-not-signed", tongue, plan=plan, signature=signature), NOT_DONE)
    if not chosen["activities"]:
        fail(say("retention-without-list", tongue, plan=plan), NOT_DONE)
    return chosen, signed


def _salt(file: Path, signed: Signed, tongue: Language) -> str:
    """The salt of the digests: on the certificate alone. After a crash, that of the certificate that was begun."""
    if file.exists():
        try:
            begun = json.loads(file.read_bytes())
            if begun["plan"] == signed.plan and begun["closed_at"] is None:
                return str(begun["salt"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        fail(say("retention-certificate-exists", tongue, file=file), NOT_DONE)
    salt = secrets.token_hex(32)
    _create(file, json.dumps({"plan": signed.plan, "salt": salt, "closed_at": None}), tongue)
    return salt


def _certify(
    file: Path, work: Destruction, signed: Signed, digest: str, kept: list[list[str]], tongue: Language
) -> None:
    told = {
        "schema": "labmw-certificate/1",
        "site": work.site,
        "certificate": work.number,
        "plan": signed.plan,
        "activities": work.plan["activities"],
        "signed": {"who": signed.who, "role": signed.role, "at": signed.at},
        "closed_at": now(),
        "tombstones": digest,
        "destroyed": dict(sorted(work.done.items())),
        "kept": kept,
        "salt": work.salt,
        "not_reached": say("retention-not-reached", tongue),
    }
    file.write_text(json.dumps(told, ensure_ascii=False, indent=2), encoding="utf-8")


def _wipe(settings: Config, tongue: Language) -> None:
    from labmw.errors import StoreError
    from labmw.store.wiping import wipe

    try:
        done = wipe(settings.store.url)
    except StoreError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    typer.echo(say("retention-wiped" if done else "retention-in-use", tongue))
    typer.echo(say("retention-not-reached", tongue))


def _create(file: Path, text: str, tongue: Language) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            file.chmod(0o600)
            out.write(text)
    except OSError as problem:
        fail(say("retention-files", tongue, problem=problem), UNUSABLE)


def _draw(found: RetentionPlan, settings: Config, tongue: Language) -> None:
    from rich.table import Table

    table = Table(*(say(f"retention-head-{head}", tongue) for head in ("class", "years", "due")))
    for name in ("raw", "messages", "results", "identity"):
        due = sum(name in one.classes for one in found.due)
        table.add_row(say(f"retention-class-{name}", tongue), str(found.years[name]), str(due))
    table.add_row(say("retention-class-qc", tongue), str(found.years["qc"]), str(found.qc))
    table.add_row(say("retention-class-audit", tongue), str(found.years["audit"]), str(found.audit))
    console().print(table)
    for why in sorted({one.why for one in found.kept}):
        count = sum(one.why == why for one in found.kept)
        typer.echo(say("retention-kept", tongue, count=count, why=say(why, tongue)))
    years = found.years["archive"]
    typer.echo(say("retention-archive", tongue, count=found.archive, years=years))
    if settings.retention.archive_folder:
        typer.echo(say("archive-command", tongue))
    if not found.activities:
        typer.echo(say("retention-no-list", tongue))
    if not settings.retention.destruction:
        typer.echo(say("retention-off", tongue))
