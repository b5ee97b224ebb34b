"""What leaves the store with a patient, or with age? A tombstone stays where each thing was; destruction and the archive take the same way out.

What a message or a session of bytes holds of several patients goes when the time of all of them is over; until then it stays whole. A tube number that was
another patient's too keeps its orders. Everything is looked at again just before: who is held now, has come again, or has something open, stays.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy import Table

from labmw.lab.retention import CHUNK, Due, due_in, last_seen, years_before
from labmw.lab.sealing import row_digest
from labmw.store import schema, statements
from labmw.store.encryption.shredding import shred
from labmw.store.statements import retention as stored
from labmw.store.transaction import Row, Transaction

_APART: Final = (schema.result, schema.lookback_line, schema.outbox, schema.legal_hold)
"""Tables with a column `patient` or `specimen` whose rows go with results, or are asked for on their own."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that leaves with a class; `emptied`: the row stays, without its contents."""

    of: str
    table: Table
    row: Row
    emptied: bool = False


@dataclass(slots=True)
class Leaving:
    """What leaves by one plan."""

    site: str
    plan: Mapping[str, Any]
    salt: str
    number: int = 0  # of the certificate
    done: Counter[str] = field(default_factory=Counter)
    taken: list[Taken] | None = None  # what leaves is collected here, for who keeps it elsewhere

    @property
    def due(self) -> Sequence[Due]:
        """The patients of the plan."""
        return due_in(self.plan)

    def among(self, name: str) -> Set[str]:
        """Whose time is over for a class."""
        return {one.patient for one in self.due if name in one.classes}

    # --- a patient --------------------------------------------------------------------------------------------------------------

    def patient(self, one: Due, at: str) -> Transaction[str]:
        """Take out what is due of a patient; returns why nothing was, "" when it was."""
        if any(row.patient == one.patient for row in (yield stored.holds(self.site))):
            return "retention-kept-hold"
        if (yield stored.unfinished_among(self.site, [one.patient])):
            return "retention-kept-unfinished"
        seen = yield from last_seen(self.site, [one.patient])
        if seen.get(one.patient, date.min) > date.fromisoformat(one.last):
            return "retention-kept-came-again"
        results = yield stored.of_patient(schema.result, self.site, [one.patient])
        named = yield stored.of_patient(schema.message_patient, self.site, [one.patient])
        messages = sorted({row.message for row in (*results, *named)})
        if "raw" in one.classes:  # with a session goes what was left of it of patients who were due before
            messages = sorted({*messages, *(yield from self._raw(messages, at))})
        if "results" in one.classes:
            yield from self._results([row.id for row in results], at)
        elif "messages" in one.classes:
            yield from self._empty_outbox([row.id for row in results], at)
        if "identity" in one.classes:
            yield from self._identity(one.patient, at)
        if "messages" in one.classes:
            yield from self._messages(messages, at)
        return ""

    def _raw(self, messages: Sequence[int], at: str) -> Transaction[list[int]]:
        """The bytes of the sessions in which only those came whose time is over; returns the messages of these sessions."""
        rows = yield from _by(schema.message, "id", messages)
        freed: list[int] = []
        for name in sorted({row.session for row in rows if row.session}):
            closed = [row.closed_at for row in (yield stored.sessions_named(self.site, [name]))]
            here = [row.id for row in (yield stored.messages_in(self.site, [name]))]
            if None in closed or not (yield from self._all_due(here, "raw")):
                continue
            journal = yield stored.rows_by(schema.journal, "session", [name])
            frames = yield stored.rows_by(schema.frame, "session", [name])
            if journal or frames:
                content = [[row.id, row.at] for row in (*journal, *frames)]
                yield from self._gone("raw", schema.journal, journal)
                yield from self._gone("raw", schema.frame, frames)
                yield from self._stone("raw", "session", None, name, [self._digest(content)], at)
            freed += here
        return freed

    def _results(self, numbers: Sequence[int], at: str) -> Transaction[None]:
        """Results with their verdicts, alerts and whatever else refers to them, and the messages that carried nothing else."""
        for start in range(0, len(numbers), CHUNK):
            some = numbers[start : start + CHUNK]
            carriers = [row.outbox for row in (yield stored.carriers(some))]
            rows = yield stored.rows_by(schema.result, "id", some)
            hung = yield from self._remove("results", schema.result, rows)
            for row in rows:
                yield from self._stone("results", "result", row.id, "", [self._digest(row.mapping())], at)
            empty = []
            for number in carriers:
                if not (yield from _carries(number)):
                    empty.append(number)
            sent = (yield stored.rows_by(schema.outbox, "id", empty)) if empty else []
            hung += yield from self._remove("messages", schema.outbox, sent)
            for row in sent:
                yield from self._stone("messages", "outbox", row.id, "", [self._digest(row.mapping())], at)
            if hung:
                yield from self._stone("results", "of-results", None, f"{len(hung)} rows", [self._digest(hung)], at)

    def _empty_outbox(self, results: Sequence[int], at: str) -> Transaction[None]:
        carriers = sorted({row.outbox for row in (yield stored.carriers(results))}) if results else []
        for row in (yield from _by(schema.outbox, "id", carriers)):
            if row.payload is not None:
                self._take("messages", schema.outbox, [row], emptied=True)
                yield stored.empty_outbox([row.id])
                yield from shred(schema.outbox, [row])
                yield from self._stone("messages", "outbox", row.id, "", [self._digest(row.mapping())], at)

    def _identity(self, patient: str, at: str) -> Transaction[None]:
        tubes = sorted({row.identifier for row in (yield stored.of_patient(schema.specimen, self.site, [patient]))})
        shared = (
            {row.identifier for row in (yield stored.tubes_of_others(self.site, patient, tubes))} if tubes else set()
        )
        own = [tube for tube in tubes if tube not in shared]
        hung: list[Any] = []
        for table in reversed(schema.metadata.sorted_tables):
            if table in _APART:
                continue
            for column, values in (("patient", [patient]), ("specimen", own)):
                if column in table.c and values:
                    rows = yield stored.of_patient(table, self.site, values, column)
                    hung += (yield from self._remove("identity", table, rows)) + [row.mapping() for row in rows]
        for table in (schema.patient_alias, schema.patient):
            rows = yield stored.of_patient(table, self.site, [patient], "identifier")
            hung += (yield from self._remove("identity", table, rows)) + [row.mapping() for row in rows]
        if hung:
            yield from self._stone("identity", "patient", None, f"{len(hung)} rows", [self._digest(hung)], at)

    def _messages(self, messages: Sequence[int], at: str) -> Transaction[None]:
        """A message of which nothing is left goes whole; one whose results stay longer loses its contents.

        It stays as long as the bytes of its session do, in which others came too.
        """
        for row in (yield from _by(schema.message, "id", messages)):
            if row.session and (yield stored.bytes_left(self.site, row.session)):
                continue
            left = [*(yield stored.measured_in([row.id])), *(yield stored.named_in([row.id]))]
            waits = yield stored.rows_by(schema.quarantine, "message", [row.id])
            if not left and all(one.state != "open" for one in waits):
                hung = yield from self._remove("messages", schema.message, [row])
                yield from self._stone("messages", "message", row.id, "", [self._digest([row.digest, hung])], at)
            elif left and row.raw and (yield from self._all_due([row.id], "messages")):
                self._take("messages", schema.message, [row], emptied=True)
                yield stored.empty_message(row.id)
                yield from shred(schema.message, [row])
                yield from self._stone("messages", "message", row.id, "", [self._digest([row.digest])], at)

    def _all_due(self, messages: Sequence[int], name: str) -> Transaction[bool]:
        """Whether the time of everybody in these messages is over. What is nobody's is judged by its age."""
        due, before = self.among(name), years_before(date.fromisoformat(self.plan["day"]), self.plan["years"][name])
        for start in range(0, len(messages), CHUNK):
            some = messages[start : start + CHUNK]
            for row in (yield stored.measured_in(some)):
                if row.patient not in due and (row.patient or row.received_at >= before):
                    return False
            for row in (yield stored.named_in(some)):
                if row.patient not in due:
                    return False
        return True

    # --- what is no patient's -----------------------------------------------------------------------------------------------------

    def controls(self, at: str) -> Transaction[int]:
        """Take out some results of control materials; returns how many, 0 when none is left."""
        rows = yield stored.controls_before(self.site, self.plan["qc"]["before"], most=CHUNK)
        numbers = [row.id for row in rows]
        if numbers:
            messages = [row.message for row in (yield stored.rows_by(schema.result, "id", numbers))]
            yield from self._results(numbers, at)
            yield from self._messages(sorted(set(messages)), at)
        return len(numbers)

    def audit(self, at: str) -> Transaction[int]:
        """Take out some sealed rows of the audit; each leaves the digest that the chain needs. Returns how many."""
        rows = yield stored.audit_before(self.site, self.plan["audit"]["before"], most=CHUNK)
        for row in rows:
            yield from self._stone("audit", "audit", row.id, "", [row_digest(row)], at)
        if rows:
            yield from self._gone("audit", schema.audit, rows)
        return len(rows)

    def _digest(self, content: object) -> str:
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, default=_plain)
        return hashlib.sha256(f"{self.salt}\n{text}".encode()).hexdigest()

    def _stone(
        self, name: str, kind: str, row: int | None, subject: str, digests: Iterable[str], at: str
    ) -> Transaction[None]:
        for digest in digests:
            values = {"class": name, "kind": kind, "row": row, "subject": subject, "digest": digest, "at": at}
            yield statements.insert(schema.tombstone, site=self.site, certificate=self.number, **values)
        self.done[f"{name}: {kind}"] += 1

    # --- row by row ---------------------------------------------------------------------------------------------------------------

    def _take(self, name: str, table: Table, rows: Sequence[Row], *, emptied: bool = False) -> None:
        if self.taken is not None:
            self.taken += [Taken(name, table, row, emptied) for row in rows]

    def _gone(self, name: str, table: Table, rows: Sequence[Row]) -> Transaction[None]:
        self._take(name, table, rows)
        for start in range(0, len(rows), CHUNK):
            yield stored.remove(table, [row.id for row in rows[start : start + CHUNK]])
        yield from shred(table, rows)

    def _remove(self, name: str, table: Table, rows: Sequence[Row]) -> Transaction[list[Any]]:
        """Delete rows and whatever refers to them, the last first; returns what was deleted beside the rows themselves."""
        if not rows:
            return []
        numbers = [row.id for row in rows]
        hung: list[Any] = []
        for child, column in stored.referring(table):
            below = yield from _by(child, column.name, numbers)
            hung += (yield from self._remove(name, child, below)) + [row.mapping() for row in below]
        yield from self._gone(name, table, rows)
        return hung


def _plain(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


def _by(table: Table, column: str, values: Sequence[int]) -> Transaction[list[Row]]:
    found: list[Row] = []
    for start in range(0, len(values), CHUNK):
        found += yield stored.rows_by(table, column, values[start : start + CHUNK])
    return found


def _carries(number: int) -> Transaction[bool]:
    """Whether a message that was sent still carries something."""
    for table in (schema.outbox_result, schema.withdrawal, schema.redelivery):
        if (yield stored.rows_by(table, "outbox", [number])):
            return True
    return bool((yield stored.rows_by(schema.redelivery, "earlier", [number])))
