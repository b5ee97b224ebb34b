"""What is the whole story of a specimen? From rows to plain values: what `labmw result show --json` prints, and what its picture is drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from labmw.cli.trace_words import spoken
from labmw.driver.picture import pictures_in
from labmw.driver.picture import shown as pictures_shown
from labmw.phrases import Language, say
from labmw.store import Row
from labmw.store.encryption.envelope import Unreadable
from labmw.watch.evidence import (
    Answered,
    Evidence,
    answers,
    frames_of_record,
    pieces_of_message,
    records,
    without_names,
)
from labmw.watch.spoken import noted
from labmw.watch.veil import hide
from protocols.astm.control import show
from protocols.plain.message import NAMES

Value = dict[str, Any]
LEVELS = ("release", "comment", "review", "hold", "block")


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is to be told."""

    language: Language
    zone: ZoneInfo
    identity: bool  # names may be shown

    def shown(self, data: bytes | None) -> str:
        """Bytes as a person reads them."""
        if data is None:
            return ""
        if isinstance(data, Unreadable):
            return say(data.why, self.language)
        return show(bytes(data) if self.identity else hide(bytes(data)))


def tell(specimen: str, evidence: Evidence, manner: Manner) -> Value:
    """Tell everything: who and what was asked for, then message by message, and in each its results."""
    story = evidence.story
    return {
        "schema": "labmw-story/1",
        "specimen": specimen,
        "tubes": [_tube(row) for row in story.specimens],
        "patients": [_patient(row, manner) for row in story.patients],
        "orders": [
            {"loinc": row.loinc, "placer": row.placer, "priority": row.priority, "ordered_at": row.ordered_at}
            for row in story.orders
        ],
        "messages": [_message(row, evidence, manner) for row in story.messages],
    }


def _tube(row: Row) -> Value:
    names = ("kind", "patient", "ward", "collected", "valid_from", "valid_to")
    return {name: getattr(row, name) or "" for name in names}


def _patient(row: Row, manner: Manner) -> Value:
    """The identifier alone, unless names were asked for."""
    names = ("identifier", "family", "given", "birth", "sex") if manner.identity else ("identifier",)
    return {name: getattr(row, name) for name in names}


def _message(row: Row, evidence: Evidence, manner: Manner) -> Value:
    story = evidence.story
    journal = evidence.journal.get(row.session, [])
    frames = story.frames.get(row.id, [])
    replies = answers(journal, frames)
    session = next((one for one in story.sessions if one.id == row.session), None)
    first, last = pieces_of_message(journal, frames, replies)
    pieces = without_names(journal) if not manner.identity else ((one, bytes(one.data)) for one in journal)
    whole = [one for one in story.quarantine if one.message == row.id and one.result is None]
    return {
        "message": row.id,
        "line": row.link,
        "peer": row.peer,
        "received_at": row.received_at,
        "protocol": row.protocol,
        "kind": row.kind,
        "sender": row.sender,
        "driver": f"{row.driver} {row.driver_version}",
        "mapping": row.mapping_version,
        "labmw": row.software_version,
        "terminated": bool(row.terminated),
        "disposition": row.disposition,
        "tolerances": json.loads(row.tolerances),
        "unreadable": say(evidence.unreadable[row.id], manner.language) if row.id in evidence.unreadable else "",
        "session": {"id": row.session, "ended": session.closing if session is not None else ""},
        "wire": [
            {"at": one.at, "direction": one.direction, "bytes": show(data), "size": len(one.data)}
            for one, data in pieces
            if first <= one.id <= last
        ],
        "frames": [_frame(one, replies.get(one.seq), manner) for one in frames],
        "pictures": [] if row.id in evidence.unreadable else pictures_shown(pictures_in(row.protocol, bytes(row.raw))),
        "reply": manner.shown(row.reply),
        "quarantine": [_quarantine(one, manner) for one in whole],
        "results": [_result(one, row, frames, evidence, manner) for one in story.results if one.message == row.id],
        "repeats": [_repeat(one, story.results, row, manner) for one in story.repeats if one.message == row.id],
    }


def _frame(row: Row, answered: Answered | None, manner: Manner) -> Value:
    return {
        "seq": row.seq,
        "number": row.number,
        "last": bool(row.last),
        "stored_at": row.at,
        "came_at": answered.at if answered else "",
        "answer": show(answered.answer) if answered else "",
        "answered_at": answered.answered_at if answered else "",
        "size": len(row.text),
    }


def _result(row: Row, message: Row, frames: Sequence[Row], evidence: Evidence, manner: Manner) -> Value:
    story = evidence.story
    # A plain text is laid out as records whenever it is read: what came is the whole text.
    found = [] if message.protocol in NAMES else records(bytes(message.raw))
    record = found[row.record] if 0 <= row.record < len(found) else bytes(message.raw) if not found else b""
    verdict = next((one for one in reversed(story.verdicts) if one.result == row.id), None)
    return {
        "result": row.id,
        "test": row.test_name or row.code,
        "code": row.code,
        "detail": row.detail,
        "run": row.run,
        "main": bool(row.main),
        "state": row.state,
        "value": row.value,
        "unit_raw": row.unit_raw,
        "read_as": {"comparator": row.comparator, "number": row.number or "", "ucum": row.unit, "loinc": row.loinc},
        "flags_raw": row.flags_raw,
        "flags": json.loads(row.flags),
        "range_raw": row.range_raw,
        "status": row.status,
        "comments": json.loads(row.comments),
        "analyzer": row.analyzer,
        "operator": row.operator,
        "measured_with": [
            {name: getattr(one, name) for name in ("kind", "name", "lot", "expiry", "status")}
            for one in story.contributions
            if one.result == row.id
        ],
        "completed_raw": row.completed_raw,
        "completed_at": row.completed_at or "",
        "driver": f"{row.driver} {row.driver_version}",
        "mapping": row.mapping_version,
        "record": {
            "number": row.record + 1,
            "bytes": manner.shown(record),
            "frames": frames_of_record(bytes(message.raw), frames, row.record),
        },
        "quarantine": [_quarantine(one, manner) for one in story.quarantine if one.result == row.id],
        "alerts": [_alert(one, manner) for one in story.alerts if one.result == row.id],
        "verdict": _verdict(verdict, manner) if verdict is not None else None,
        "decided_before": [
            {
                "sentence": verdict_in_words(one, LEVELS[one.level], manner.language),
                "at": one.decided_at,
                "by": one.decided_by,
            }
            for one in story.verdicts
            if one.result == row.id and verdict is not None and one.id != verdict.id
        ],
        "actions": [_action(one, manner) for one in story.actions if one.result == row.id],
        "calls": [_call(one) for one in story.calls if one.result == row.id],
        "recalls": [_recall(one, manner) for one in story.recalls if one.result == row.id],
        "outbox": [_outbox(one, manner) for one in story.outbox if one.result == row.id],
        "repeats": [{"seen_at": one.seen_at, "message": one.message} for one in story.repeats if one.result == row.id],
    }


def _quarantine(row: Row, manner: Manner) -> Value:
    return {
        "reason": row.reason,
        "sentence": sentence(row.reason, json.loads(row.facts), manner.language),
        "raised_at": row.raised_at,
        "state": row.state,
        "closed_at": row.closed_at or "",
        "note": noted(row.note, manner.language),
    }


def _alert(row: Row, manner: Manner) -> Value:
    facts = json.loads(row.facts)
    return {
        "kind": row.kind,
        "sentence": own_words(facts, manner.language) or sentence(row.kind, facts, manner.language),
        "rule": facts.get("rule", ""),
        "raised_at": row.raised_at,
        "state": row.state,
    }


def _verdict(row: Row, manner: Manner) -> Value:
    reasons = [
        {
            "code": one["code"],
            "level": one["level"],
            "rule": one["rule"],
            "sentence": own_words(one["facts"], manner.language)
            or sentence(one["code"], one["facts"], manner.language),
        }
        for one in json.loads(row.reasons)
    ]
    trace = [
        {
            "rule": rule,
            "outcome": outcome,
            "detail": detail,
            "sentence": spoken(rule, outcome, detail, manner.language, manner.zone),
        }
        for rule, outcome, detail in json.loads(row.trace)
    ]
    level = LEVELS[row.level]
    return {
        "level": level,
        "sentence": verdict_in_words(row, level, manner.language),
        "stage": row.stage,
        "reasons": reasons,
        "trace": trace,
        "packs": [_pack(one) for one in json.loads(row.packs)],
        "comments": json.loads(row.comments),
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
    }


def _action(row: Row, manner: Manner) -> Value:
    facts = json.loads(row.facts)
    target = facts.get(f"test_{manner.language}") or facts.get("asked", "")
    why = facts.get("why", "")
    return {
        "kind": row.kind,
        "target": target,
        "state": row.state,
        "rule": row.rule,
        "at": row.at,
        "why": say(f"action-{why}", manner.language) if why else "",
    }


def _call(row: Row) -> Value:
    told = ("state", "direction", "raised_at", "called_by", "told", "read_back", "note")
    return {name: getattr(row, name) for name in told} | {"called_at": row.called_at or ""}


def _recall(row: Row, manner: Manner) -> Value:
    facts = json.loads(row.facts)
    return {
        "sentence": say(row.cause, manner.language, **facts),
        "why": ""
        if facts.get("code", row.cause) == row.cause
        else own_words(facts, manner.language) or sentence(facts["code"], facts, manner.language),
        "raised_at": row.raised_at,
        "state": row.state,
        "closed_by": row.closed_by,
        "note": noted(row.note, manner.language),
    }


def verdict_in_words(row: Row, level: str, language: Language) -> str:
    """What was decided: by the rules, or by a person and in which role."""
    if row.stage in ("technical", "biological"):
        return say(f"verdict-by-{row.stage}", language, by=row.decided_by)
    return say(f"verdict-{level}", language)


def _pack(one: str | Mapping[str, str]) -> Value:
    return {"pack": one} if isinstance(one, str) else dict(one)


def _outbox(row: Row, manner: Manner) -> Value:
    return {
        "destination": row.destination,
        "control_id": row.control_id,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "delivered_at": row.delivered_at or "",
        "last_error": row.last_error,
        "payload": manner.shown(row.payload),
        "receipt": manner.shown(row.receipt),
    }


def _repeat(row: Row, results: Sequence[Row], message: Row, manner: Manner) -> Value:
    original = next((one for one in results if one.id == row.result), None)
    found = records(bytes(message.raw))
    return {
        "of": row.result,
        "test": (original.test_name or original.code) if original is not None else "",
        "seen_at": row.seen_at,
        "record": manner.shown(found[row.record]) if 0 <= row.record < len(found) else "",
    }


def sentence(code: str, facts: Mapping[str, Any], language: Language) -> str:
    """A reason in words; a fact may itself be a code of the catalogue."""
    told = {
        name: say(value, language) if isinstance(value, str) and value.startswith("fault-") else value
        for name, value in facts.items()
    }
    return say(code, language, **{name: value for name, value in told.items() if isinstance(value, str | int | float)})


def own_words(facts: Mapping[str, Any], language: Language) -> str:
    """The rule pack's own sentence, frozen when the verdict was given; "" where there is none."""
    return str(facts.get(f"message_{language}", ""))
