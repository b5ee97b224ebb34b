"""May the national identity number be used, and where does it have to go from? Only a qualified identity keeps it (PID-32 = VALI).

Source: French extension of IHE PAM; RNIV rule 27 (a strict trait changes: the number goes); Ségur SC.INS.55.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence

from labmw.lab.lis_told import Doubt, Told, audit, quarantine, raise_task
from labmw.store import schema, statements
from labmw.store.encryption.shredding import write_anew
from labmw.store.statements import identities, keys
from labmw.store.transaction import Transaction
from protocols.errors import Hl7Error
from protocols.hl7.adt import QUALIFIED, Identity, message_without_ins
from protocols.hl7.er7 import Message


def keep_ins(
    told: Told, patient: str, identity: Identity, statuses: Sequence[str], strict: Sequence[str]
) -> Transaction[None]:
    """Keep, replace or drop the INS of a patient after a PID. `statuses`: PID-32 as it is known now; `strict`: traits that changed."""
    rows = yield identities.ins_of(told.site, [patient])
    had = rows[0].number if rows else ""
    new, ignored = identity.ins, identity.ignored
    if new is not None and new.fictitious and not told.terms.ins_fictitious:
        new, ignored = None, "fictitious"
    if new is not None:
        others = [
            row.patient for row in (yield identities.ins_holders(told.site, [new.number])) if row.patient != patient
        ]
        if others:
            new, ignored = None, "elsewhere"
            yield from quarantine(told, Doubt("patient-ins-elsewhere", (("patient", patient), ("other", others[0]))))
    if ignored:
        yield from _history(told, patient, "ins-ignored", ignored)
    if ignored in (
        "unsound",
        "several",
        "fictitious",
    ):  # the message is taken without it; a person finds out whose fault it is
        yield from quarantine(told, Doubt(f"patient-ins-{ignored}", (("patient", patient),)))
    if new is not None:
        if had and had != new.number:
            yield from forget_ins(told, patient, [had], "replaced")
        if had != new.number:
            yield statements.insert_or_update(
                schema.ins,
                site=told.site,
                patient=patient,
                number=new.number,
                oid=new.oid,
                message=told.message,
                since=told.at,
            )
            yield from _history(told, patient, "ins-set", new.nature)
    elif had and identity.removes_ins:
        yield from forget_ins(told, patient, [had], "removed")
    elif had and QUALIFIED not in statuses:
        yield from forget_ins(told, patient, [had], "no-longer-qualified")
    elif had and strict:  # RNIV rule 27
        yield from forget_ins(told, patient, [had], "trait-changed")


def forget_ins(told: Told, patient: str, numbers: Sequence[str], why: str) -> Transaction[None]:
    """Remove these INS from wherever labmw has them of a patient: the identity, kept messages, and what was written to be sent.

    A message's digest stays that of the bytes as they came: what a purge leaves lies beside it, under a new key, and the old key is destroyed. What has
    not left is written again. Bytes whose key is gone already hold nothing for anybody.
    """
    found = False
    for row in (yield identities.ins_of(told.site, [patient])):
        if row.number in numbers:
            yield identities.drop(schema.ins, row.id)
            found = True
    if not numbers:
        return
    about = yield identities.messages_of_patient(told.site, patient)
    doubtful = yield identities.messages_in_doubt(told.site, told.terms.feed)
    for row in (*about, *doubtful):
        raw = purged(row.raw, numbers)
        reply = purged(row.reply, numbers) if row.reply else row.reply
        if raw != row.raw or reply != row.reply:
            yield from write_anew(schema.message, row, raw=raw, reply=reply)
    for row in (yield identities.outbox_of_patient(told.site, patient)):
        if any(number.encode() in row.payload for number in numbers):
            kept = purged(row.payload, numbers) if row.state == "delivered" else None
            yield from write_anew(schema.outbox, row, payload=kept)
        if row.receipt and (bare := purged(row.receipt, numbers)) != row.receipt:  # another laboratory repeats the PID
            yield from write_anew(schema.outbox, row, receipt=bare)
    for table, step in identities.kept_about(told.site, patient):
        for row in (yield step):
            if (bare := purged(row.data, numbers)) != row.data:
                yield from write_anew(table, row, data=bare)
    yield keys.forgotten()
    if found:
        yield from _history(told, patient, "ins-removed", why)
        yield from audit(told.site, told.at, told.terms.name, "ins-removed", f"patient/{patient}", why)
        # Backups are out of reach: whoever keeps them is told once, and again when another INS goes.
        yield from raise_task(told.site, "ins-copies", "backups", "", {"at": told.at[:10]}, told.at)


def purged(raw: bytes, numbers: Sequence[str]) -> bytes:
    """The bytes of a message without these INS: those repetitions of PID and MRG are gone, and wherever else a number stands it is too."""
    if not any(number.encode() in raw for number in numbers):
        return raw
    with contextlib.suppress(Hl7Error):  # no HL7: the numbers go all the same
        raw = message_without_ins(Message.parse(raw))
    for number in numbers:
        raw = raw.replace(number.encode(), b"")
    return raw


def _history(told: Told, patient: str, what: str, why: str) -> Transaction[None]:
    yield statements.insert(
        schema.patient_history,
        site=told.site,
        patient=patient,
        at=told.at,
        what=what,
        message=told.message,
        detail=json.dumps({"why": why}),
    )
