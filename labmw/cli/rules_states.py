"""labmw rules state, sign, activate, retire: from a draft to a pack in force and out of it again, who signed each step, and who has read it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import require, rights_of
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
from labmw.cli.pack_words import looser
from labmw.cli.qc_words import instant
from labmw.cli.writing import reason_given, who, write
from labmw.errors import LabmwError
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from rules.pack import Pack
    from rules.signature import Signature

WRONG = 1
UNUSABLE = 2
PackArgument = Annotated[Path, typer.Argument(help="The pack's folder.", show_default=False)]
RoleOption = Annotated[str, typer.Option("--role", help="biologist, or technician.")]


def state(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """Say of each pack which state it is in, since when, who signed, who has read it, and when it must be looked at again.

    Exit codes: 0 said, 1 a pack cannot be used or one that should judge does not, 2 wrong usage.
    """
    from labmw.cli.rules_view import states

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows, wrong = _states(settings, tongue)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        states(console(), tongue, rows)
    raise typer.Exit(WRONG if wrong else 0)


def sign(
    pack: PackArgument,
    step: Annotated[
        str, typer.Option("--step", help="reviewed, approved, or read (and understood).", show_default=False)
    ],
    why: WhyOption,
    role: RoleOption = "biologist",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Sign that a pack, exactly as it is, was reviewed, approved, or read and understood.

    Exit codes: 0 signed, 1 the pack cannot be used, or no role that may, 2 wrong usage.
    """
    from rules.signature import ROLES

    settings, tongue = _ready(config, language)
    if step not in ("reviewed", "approved", "read") or role not in ROLES[step]:
        fail(say("rules-step-unknown", tongue, step=step, role=role), UNUSABLE)
    person = who(by)
    if step != "read":  # whoever works with rules may say that they have read them
        require(settings, person, "rules", tongue, *(["technical"] if step == "reviewed" else []))
    one = _load(pack)
    _add(settings, one, step, person, role, reason_given(why, tongue), tongue)
    typer.echo(say("rules-signed", tongue, pack=one.name, step=say(f"rules-state-{step}", tongue), who=person))


def activate(
    pack: PackArgument,
    why: WhyOption,
    since: Annotated[
        str, typer.Option("--from", help="From when on; when not given, at once.", show_default=False)
    ] = "",
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="A protocol of the pack under which it may add tests; may be repeated.",
            show_default=False,
        ),
    ] = None,
    exception: Annotated[
        list[str] | None,
        typer.Option(
            "--except",
            help="LOINC code of a test that else never leaves without a biologist; may be repeated.",
            show_default=False,
        ),
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Put a pack in force. Where it lets more go than the version before, another biologist must have approved it.

    So must what it may add to a prescription (--protocol), and which reserved tests it may release (--except): neither outlives its version.

    What is put in force is kept beside the signatures, and goes on judging whatever becomes of the folder.
    Exit codes: 0 in force (or will be), 1 the pack cannot be used or lacks an approval, or no role that may, 2 wrong usage.
    """
    from labmw.watch.inspection import in_force, packs_of
    from rules.archive import keep
    from rules.load import written
    from rules.loosening import loosens

    settings, tongue = _ready(config, language)
    person = who(by)
    require(settings, person, "rules", tongue)
    one = _load(pack)
    reason = reason_given(why, tongue)
    effective = instant(since, settings, "--from", tongue) if since else None
    before, problem = packs_of(settings)
    if problem is not None:
        fail(str(problem), WRONG)
    added, released = tuple(protocol or ()), tuple(exception or ())
    if unknown := [*(set(added) - set(one.protocols)), *(set(released) - one.loincs)]:
        fail(say("rules-not-in-pack", tongue, pack=one.name, what=", ".join(sorted(unknown))), UNUSABLE)
    less = (
        *loosens(next((other for other in before.active if other.id == one.id), None), one),
        *(f"protocol {name}" for name in added),
        *(f"exception {loinc}" for loinc in released),
    )
    second = _approver(settings, one, person)
    if less and not second:
        typer.echo(say("rules-loosens", tongue, pack=one.name), err=True)
        for what in less[:20]:
            typer.echo(f"  {looser(what, tongue)}", err=True)
        fail(say("rules-needs-approval", tongue, folder=pack), WRONG)
    try:
        keep(in_force(settings), one, written(pack))
    except LabmwError as error:
        fail(str(error), WRONG)
    _add(
        settings, one, "active", person, "biologist", reason, tongue, second=second if less else "", effective=effective,
        protocols=added, exceptions=released,
    )  # fmt: skip
    typer.echo(
        say(
            "rules-activated",
            tongue,
            pack=one.name,
            since=effective.isoformat() if effective else say("rules-at-once", tongue),
        )
    )
    if not any(
        Path(known).name == pack.resolve().name or Path(known) == pack.resolve() for known in settings.rules.packs
    ):
        typer.echo(say("rules-not-configured", tongue, folder=pack))


def retire(
    pack: Annotated[str, typer.Argument(help="The pack's id.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Take a pack out of force, at once: what no other pack judges is held. One person is enough.

    Exit codes: 0 retired, 1 no such pack is in force, or no role that may, 2 wrong usage.
    """
    from labmw.watch.inspection import packs_of

    settings, tongue = _ready(config, language)
    reason = reason_given(why, tongue)
    require(settings, who(by), "rules", tongue, "stop")
    before, problem = packs_of(settings)
    if problem is not None:
        fail(str(problem), WRONG)
    one = next((other for other in before.active if other.id == pack), None)
    if one is None:
        fail(say("rules-not-active", tongue, pack=pack), WRONG)
    _add(settings, one, "retired", who(by), "biologist", reason, tongue)
    typer.echo(say("rules-retired", tongue, pack=one.name))


def _ready(config: Path | None, language: Any) -> tuple[Config, Language]:
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    if not settings.rules.signatures:
        fail(say("rules-no-signatures", tongue), UNUSABLE)
    return settings, tongue


def _load(pack: Path) -> Pack:
    from rules.pack import load

    try:
        return load(pack)
    except LabmwError as error:
        fail(str(error), WRONG)


def _signatures(settings: Config) -> tuple[Signature, ...]:
    from rules.signature import read_signatures

    try:
        return read_signatures(Path(settings.rules.signatures)) if settings.rules.signatures else ()
    except LabmwError as error:
        fail(str(error), WRONG)


def _approver(settings: Config, one: Pack, person: str) -> str:
    """Who else, of those who may, has approved exactly this content; "" when nobody has."""
    rights = rights_of(settings)
    approved = [
        sig
        for sig in _signatures(settings)
        if sig.step == "approved" and (sig.pack, sig.hash) == (one.id, one.hash) and rights.may(sig.who, "rules")
    ]
    return next((sig.who for sig in reversed(approved) if sig.who.casefold() != person.casefold()), "")


def _add(
    settings: Config, one: Pack, step: str, person: str, role: str, why: str, tongue: Language, *, second: str = "", effective: datetime | None = None,
    protocols: tuple[str, ...] = (), exceptions: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Write the signature, and the same into the audit."""
    from labmw.clock import SYSTEM, stamp
    from labmw.store.statements.audit import audited
    from labmw.store.transaction import Transaction
    from rules.signature import Signature, add_signature

    at = SYSTEM.now()
    signature = Signature(
        one.id,
        one.version,
        one.hash,
        person,
        role,
        at.replace(microsecond=0),
        why,
        tuple(sorted(one.loincs)),
        protocols,
        exceptions,
        step,
        second,
        effective,
    )

    def told() -> Transaction[None]:
        yield audited(
            settings.site.id, at=stamp(at), who=person, what=f"pack-{step}", subject=f"pack/{one.id}", why=why, version=one.version, hash=one.hash,
            second=second, effective=effective.isoformat() if effective else "", protocols=list(protocols), exceptions=list(exceptions),
        )  # fmt: skip

    try:
        add_signature(Path(settings.rules.signatures), signature)
    except LabmwError as error:
        fail(str(error), WRONG)
    write(settings, told(), tongue=tongue)


def _states(settings: Config, tongue: Language) -> tuple[list[dict[str, Any]], bool]:
    from labmw.clock import SYSTEM
    from labmw.watch.inspection import packs_of

    packs, problem = packs_of(settings)
    if problem is not None:
        fail(str(problem), WRONG)
    signatures = _signatures(settings)
    now = SYSTEM.now()
    rows: list[dict[str, Any]] = []
    for pack in packs.active:
        own = [one for one in signatures if (one.pack, one.hash) == (pack.id, pack.hash)]
        newest = [one for one in own if one.step == "active" and one.since <= now][-1]
        rows.append(
            {
                "pack": pack.id, "version": pack.version, "hash": pack.hash, "state": "active", "since": newest.since.isoformat(),
                "by": f"{newest.who}, {newest.second}" if newest.second else newest.who, "why": newest.reason,
                "extends": list(pack.extends), "overrides": len(pack.overrides),
                "review_by": pack.review_by.isoformat() if pack.review_by else "",
                "review_due": bool(pack.review_by and pack.review_by < now.date()),
                "read_by": sorted({one.who for one in own if one.step == "read"}),
            }
        )  # fmt: skip
    for idle in packs.inactive:
        facts = dict(idle.facts)
        own = [one for one in signatures if (one.pack, one.hash) == (idle.pack, facts.get("hash", ""))]
        steps = {one.step for one in own}
        word = (
            "broken"
            if idle.code in ("pack-broken", "pack-refused", "pack-missing", "pack-twice", "pack-altered")
            else "draft"
        )
        if idle.code == "pack-retired":
            word = "retired"
        elif word == "draft":
            word = next((step for step in ("approved", "reviewed") if step in steps), "draft")
            if any(one.step == "active" and one.since > now for one in own):
                word = "waiting"
        waiting = next((one for one in reversed(own) if one.step == "active"), None)
        rows.append(
            {
                "pack": idle.pack, "version": facts.get("version", ""), "hash": facts.get("hash", ""), "state": word,
                "since": waiting.since.isoformat() if waiting and word == "waiting" else "", "by": own[-1].who if own else "",
                "why": say(idle.code, tongue, **facts), "extends": [], "overrides": 0, "review_by": "", "review_due": False,
                "read_by": sorted({one.who for one in own if one.step == "read"}),
            }
        )  # fmt: skip
    rows.sort(key=lambda row: (row["pack"], row["state"] != "active"))
    return rows, any(row["state"] == "broken" for row in rows)
