"""Which work has this analyzer? One query (LAB-27), answered in one transaction: kept, planned, and the words for it written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labmw.clock import read_stamp, stamp
from labmw.lab.law_messages import keep_received, keep_sent, kept_before, waiting
from labmw.lab.law_orders import LawLink, Tube, hl7_time, new_control_id, write_nothing, write_steps
from labmw.lab.owing import owe
from labmw.lab.planning import offered, open_orders, presented, said
from labmw.lab.qc_orders import ordered_of, with_control
from labmw.lab.steps import see_tube
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Transaction
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.law_query import write_query_answer
from protocols.hl7.law_values import Query
from protocols.hl7.profile import QueryBy

MOST_TUBES = 200  # in the answer to one query for everything; the analyzer asks again for the rest
MOST_ORDERS = 2000  # looked at for it
RACK_REMEMBERED = timedelta(hours=12)  # a rack comes back with other tubes
ALL_WITHIN = timedelta(days=7)  # how old an order may be that is given without being asked for by its tube


@dataclass(slots=True)
class QueryAnswering:
    """One query being answered, in one transaction."""

    site: str
    link: LawLink
    received: Received
    query: Query
    now: datetime
    max_age: float
    tally: Counter[str]
    replaced: list[str] = field(default_factory=list)  # messages without reply, of which the answer says the same
    controls: int = 0  # tubes asked about that are registered control materials

    @property
    def at(self) -> str:
        """The moment, as the store keeps it."""
        return stamp(self.now)

    def script(self) -> Transaction[Answer]:
        """Found again, or planned and answered."""
        if (kept := (yield from kept_before(self.site, self.received))) is not None:
            return Answer(kept, tuple((yield from self._again(kept.disposition))))
        if self.query.problem is not None:
            return (yield from self._refuse(self.query.problem, "query-not-served"))
        return (yield from self._answer())

    def _again(self, disposition: str) -> Transaction[Sequence[Broadcast]]:
        """Asked again: whatever of the work is still unanswered; and of a tube without work, once more that there is none."""
        found = [one for one in (yield from waiting(self.site, self.received.link)) if not one.committed]
        if found or disposition != "accepted" or not self._named.identifier:
            return found
        steps = yield stored.awos_of_specimen(self.site, self._named.identifier)
        if any(row.link == self.link.name for row in steps) or not (
            yield from is_fresh(self.site, self.now, self.max_age)
        ):
            return ()
        nothing = write_nothing(self.link, self._named, to=self.query.header, at=self.now)
        yield from keep_sent(self.site, self.link, nothing, self.at, self.received.session, self.received.peer)
        return (nothing,)

    def _answer(self) -> Transaction[Answer]:
        tubes = yield from self._tubes()
        if tubes is None:
            problem = ErrorDetail("204", "nothing is known of this rack or tray; ask for each container")
            return (yield from self._refuse(problem, "query-not-served"))
        messages: list[Broadcast] = []
        doubt = ""
        for tube in tubes:
            broadcast, doubt_here = yield from self._work(tube)
            messages += [broadcast] if broadcast else []
            doubt = doubt or doubt_here
        if not messages and doubt:
            return (yield from self._present_again(tubes, doubt))
        if not messages:
            known = self.controls == len(tubes)  # of controls it is we who know, whatever the LIS says
            if not known and not (yield from is_fresh(self.site, self.now, self.max_age)):
                return (yield from self._present_again(tubes, "order-feed-stale"))
            self.tally["no-work"] += 1
            if self.query.by is not QueryBy.ALL or self._named.identifier:  # nothing to name: OK, and silence behind it
                messages.append(write_nothing(self.link, self._named, to=self.query.header, at=self.now))
        else:
            self.tally["work"] += 1
        message = yield from self._keep("accepted", "", self._reply())
        for one in messages:
            yield from keep_sent(self.site, self.link, one, self.at, self.received.session, self.received.peer)
        return Answer(message, tuple(messages), tuple(self.replaced))

    @property
    def _named(self) -> Tube:
        """What the query names, to be repeated in a negative answer."""
        query = self.query
        return Tube(
            query.isolate or query.container,
            carrier=query.carrier,
            position=query.position,
            tray=query.tray,
            tray_position=query.tray_position,
        )

    def _tubes(self) -> Transaction[Sequence[Tube] | None]:
        """Which tubes are asked about; None for a rack or tray of which nothing is known."""
        query = self.query
        named = self._named
        if query.by is QueryBy.ALL:
            since = stamp(self.now - ALL_WITHIN)
            rows = yield stored.orders_not_given(self.site, self.link.name, since=since, most=MOST_ORDERS)
            rows = [row for row in rows if self.link.code_of(row)]
            waiting = yield stored.awos_waiting(self.site, self.link.name)
            controls = yield stored.controls_planned(self.site, self.link.name)
            found = dict.fromkeys([row.specimen for row in (*controls, *waiting, *rows)])
            return [Tube(one) for one in list(found)[:MOST_TUBES]]
        kind, carrier, position = (
            ("tray", query.tray, query.tray_position) if query.tray else ("rack", query.carrier, query.position)
        )
        if named.identifier:
            if carrier:
                yield from see_tube(self.site, kind, carrier, position, named.identifier, self.link.name, self.at)
            return [named]
        since = stamp(self.now - RACK_REMEMBERED)
        rows = yield stored.tubes_on(self.site, kind, carrier, position, since=since)
        if kind == "rack":
            return [Tube(row.specimen, carrier=row.carrier, position=row.position) for row in rows] or None
        return [Tube(row.specimen, tray=row.carrier, tray_position=row.position) for row in rows] or None

    def _work(self, tube: Tube) -> Transaction[tuple[Broadcast | None, str]]:
        """Plan the work of one tube; return the message that gives it, and why none could be given although there may be work."""
        tube, orders, doubt = yield from open_orders(self.site, self.link, tube, self.now)
        if not orders:
            tube = yield from with_control(self.site, tube, self.at)
        if tube.control is not None:
            self.controls += 1
            return (yield from self._say(tube, (yield from ordered_of(self.site, self.link, tube)))), ""
        if doubt or not orders:
            return None, doubt
        offer = yield from offered(self.site, self.link, tube, orders, self.at, queried=True)
        rows = offer.rows
        if rows:
            yield from presented(self.site, self.link.name, tube.identifier, self.at)
        for line, why in offer.kept_back.items():
            yield stored.present_again(self.site, line, tube.identifier, why, self.at)
        return (yield from self._say(tube, rows)), ""

    def _say(self, tube: Tube, rows: Sequence[Row]) -> Transaction[Broadcast | None]:
        """Write the message that gives these AWOS of a tube; None without any."""
        if not rows:
            return None
        self.replaced += [row.control_id for row in rows if row.waits]
        broadcast = write_steps(self.link, tube, rows, control="NW", to=self.query.header, at=self.now)
        yield from said(rows, broadcast, self.at)
        return broadcast

    def _present_again(self, tubes: Sequence[Tube], why: str) -> Transaction[Answer]:
        for tube in tubes or ([self._named] if self._named.identifier else []):
            yield stored.present_again(self.site, self.link.name, tube.identifier, why, self.at)
        said = {
            "order-feed-stale": "orders cannot be looked up at the moment; present the tube again",
            "two-patients": "two patients share this tube's number; ask the laboratory",
        }
        return (yield from self._refuse(ErrorDetail("207", said.get(why, why)), why, answer="present-again"))

    def _refuse(self, problem: ErrorDetail, reason: str, *, answer: str = "refused") -> Transaction[Answer]:
        self.tally[answer] += 1
        message = yield from self._keep("refused", reason, self._reply(problem), problem.text)
        return Answer(message)

    def _reply(self, problem: ErrorDetail | None = None) -> bytes:
        return write_query_answer(
            self.query,
            control_id=new_control_id(),
            when=hl7_time(self.now, self.link.zone),
            code="AE" if problem else "AA",
            error=problem,
            profile=self.link.profile,
            accept=self.received.accept,
        )

    def _keep(self, disposition: str, reason: str, reply: bytes, why: str = "") -> Transaction[Stored]:
        facts = {"problem": why} if why else {}
        kept = yield from keep_received(
            self.site, self.received, "query", self.at, disposition, reason, facts, reply, self.query.header
        )
        yield from owe(self.site, self.received, kept.message, reply, self.at)
        return kept


def is_fresh(site: str, now: datetime, max_age: float) -> Transaction[bool]:
    """Whether the order feed has said anything in the last so many seconds; no bound (infinity) is never exceeded."""
    if max_age == math.inf:
        return True
    rows = yield stored.last_order(site)
    last: str | None = rows[0].at if rows else None
    return last is not None and (now - read_stamp(last)).total_seconds() <= max_age
