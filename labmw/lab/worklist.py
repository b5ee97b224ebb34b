"""Which work has this analyzer? Orders become AWOS, AWOS become messages, and what the analyzer says of them is kept (house §4).

Everything is on the disk before anything is said: an AWOS, and the very bytes that speak of it, are committed, then sent; "accepted" is
written when the analyzer has said so. "No work" is said only while the order feed is fresh: otherwise the tube goes on the list of those to
be presented again, and the analyzer is told that its query cannot be served now.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from labmw import SOFTWARE_VERSION
from labmw.clock import Clock, read_stamp, stamp
from labmw.errors import StoreError
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.intake import patient_of, specimen_of
from labmw.lab.law_orders import LawLink, Tube, hl7_time, new_control_id, write_nothing, write_steps
from labmw.lab.steps import cancel_step, see_tube
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from labmw.metrics import AWOS, MESSAGES, QUERIES
from labmw.store import schema, statements
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Store, Transaction, ask
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.er7 import Message
from protocols.hl7.law_query import write_query_answer
from protocols.hl7.law_reply import outcomes
from protocols.hl7.law_values import NoWork, Query, WorkReply
from protocols.hl7.law_work import read_work
from protocols.hl7.profile import QueryBy
from protocols.hl7.report import Header

log = structlog.get_logger("labmw.lab")

MOST_TUBES = 200  # in the answer to one query for everything; the analyzer asks again for the rest
MOST_ORDERS = 2000  # looked at in one step
RACK_REMEMBERED = timedelta(hours=12)  # a rack comes back with other tubes
ALL_WITHIN = timedelta(days=7)  # how old an order may be that is given without being asked for by its tube
LOOK_BACK = timedelta(hours=24)  # orders changed before that were looked at by an earlier process


@dataclass(slots=True)
class LaboratoryWorklist:
    """Fills `labmw.line.orders.Worklist`. `max_age`: seconds since the last message of the order feed until "no work" is no longer said."""

    site: str
    store: Store
    clock: Clock
    links: Mapping[str, LawLink]
    max_age: float
    commit_timeout: float = 10.0
    rest: float = 1.0  # seconds between looks for new orders when nobody wakes us
    signal: asyncio.Event = field(default_factory=asyncio.Event)  # set by whoever has taken in orders
    wake: Callable[[str], None] = lambda link: None  # the line of this name is owed something
    _heard: dict[str, Header] = field(default_factory=dict)  # what each analyzer calls itself and us

    # --- what the lines ask -----------------------------------------------------------------------------------------------

    async def query(self, received: Received, query: Query) -> Answer:
        """Keep a query, plan the work it asks for, and say what is to be said."""
        link = self.links[received.link]
        self._heard[link.name] = query.header
        now = self.clock.now()
        tally: Counter[str] = Counter()
        step = _Query(self.site, link, received, query, now, self.max_age, tally)
        answer: Answer = await self.store.run(step.script(), timeout=self.commit_timeout)
        if not answer.stored.repeat:
            MESSAGES.labels(link.name, answer.stored.disposition).inc()
            for said, count in tally.items():
                QUERIES.labels(link.name, said).inc(count)
        return answer

    async def reply(self, received: Received, reply: WorkReply) -> Stored:
        """Keep the analyzer's reply to a message of ours, and what it settles."""
        link = self.links[received.link]
        tally: Counter[str] = Counter()
        now = stamp(self.clock.now())
        kept: Stored = await self.store.run(
            _keep_reply(self.site, link, received, reply, now, tally), timeout=self.commit_timeout
        )
        MESSAGES.labels(link.name, kept.disposition).inc()
        for state, count in tally.items():
            AWOS.labels(link.name, state).inc(count)
        if kept.reason:
            log.warning("a reply answers nothing that was sent", link=link.name, control_id=reply.control_id)
        return kept

    async def due(self, link: str, most: int) -> Sequence[Broadcast]:
        """Write the messages for what an analyzer is still to be told: so many at most."""
        script = _write_due(self.site, self.links[link], self._heard.get(link), self.clock.now(), most)
        return await self.store.run(script, timeout=self.commit_timeout)

    async def waiting(self, link: str) -> Sequence[Broadcast]:
        """The messages that an analyzer was sent, or was about to be, and has not answered."""
        return await self.store.run(_waiting(self.site, link), timeout=self.commit_timeout)

    async def sending_again(self, link: str, control_id: str) -> None:
        """Note that a message is about to be sent once more: a refusal may then mean that an earlier one arrived."""
        at = stamp(self.clock.now())
        await self.store.run(_count_send(self.site, control_id, at), timeout=self.commit_timeout)

    async def unanswered(self, link: str, control_id: str) -> None:
        """Note that the analyzer has not answered, however often it was asked; it is owed all the same."""
        at = stamp(self.clock.now())
        await self.store.run(_mark_unanswered(self.site, control_id, at), timeout=self.commit_timeout)

    # --- what orders ask --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for new, changed and cancelled orders until cancelled, and wake the lines that are owed something."""
        since = stamp(self.clock.now() - LOOK_BACK)
        while True:
            self.signal.clear()
            try:
                since = await self.step(since)
            except StoreError as error:
                log.error("new orders wait for the store", why=str(error))
            except Exception as error:  # the lines must not die of what happens here
                log.exception("new orders could not be looked at; it is tried again", why=str(error))
            try:
                async with asyncio.timeout(self.rest):
                    await self.signal.wait()
            except TimeoutError:
                pass

    async def step(self, since: str) -> str:
        """Plan what has changed since a moment, wake the lines that are owed something; return the moment to go on from."""
        rows = await self.store.view(ask(stored.orders_since(self.site, since, most=MOST_ORDERS)))
        if rows:
            await self.store.run(_plan_changes(self.site, tuple(self.links.values()), rows, stamp(self.clock.now())))
            last = rows[-1].updated_at
            # The last moment is looked at again: another order of the same microsecond may come to the disk later.
            since = last if last != since or len(rows) < MOST_ORDERS else last + "\x00"
        for name in self.links:
            if await self.store.view(ask(stored.awos_wanted(self.site, name, most=1))):
                self.wake(name)
        return since


# --- a query --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Query:
    """One query being answered, in one transaction."""

    site: str
    link: LawLink
    received: Received
    query: Query
    now: datetime
    max_age: float
    tally: Counter[str]
    replaced: list[str] = field(default_factory=list)  # messages without reply, of which the answer says the same

    @property
    def at(self) -> str:
        return stamp(self.now)

    def script(self) -> Transaction[Answer]:
        """Found again, or planned and answered."""
        received = self.received
        digest = hashlib.sha256(received.raw).hexdigest()
        same = yield statements.message_at(self.site, received.session, received.last, received.place)
        if not any(row.digest == digest for row in same):
            for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
                yield step
            same = yield statements.messages_by_control_id(self.site, received.link, received.control_id)
        for row in same:
            if row.digest == digest:  # asked again: the stored reply, and whatever of the work is still unanswered
                found = yield from _waiting(self.site, received.link)
                kept = Stored(row.id, row.disposition, "", 0, repeat=True, reply=row.reply or b"")
                return Answer(kept, tuple(found))
        if self.query.problem is not None:
            return (yield from self._refuse(self.query.problem, "query-not-served"))
        return (yield from self._answer())

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
            if not (yield from _is_fresh(self.site, self.now, self.max_age)):
                return (yield from self._present_again(tubes, "order-feed-stale"))
            self.tally["no-work"] += 1
            if self.query.by is not QueryBy.ALL or self._named:
                messages.append(write_nothing(self.link, self._named, to=self.query.header, at=self.now))
        else:
            self.tally["work"] += 1
        message = yield from self._keep("accepted", "", self._reply())
        for one in messages:
            yield from _keep_sent(self.site, self.link, one, self.at, self.received.session, self.received.peer)
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
            found = dict.fromkeys([row.specimen for row in (*waiting, *rows)])
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
        if doubt or not orders:
            return None, doubt
        rows = yield from _offered(self.site, self.link, tube, orders, self.at, queried=True)
        if not rows:
            return None, ""
        yield stored.presented(self.site, tube.identifier, self.at)
        self.replaced += [row.control_id for row in rows if row.waits]
        broadcast = write_steps(self.link, tube, rows, control="NW", to=self.query.header, at=self.now)
        yield from _said(rows, broadcast, self.at)
        return broadcast, ""

    def _present_again(self, tubes: Sequence[Tube], why: str) -> Transaction[Answer]:
        for tube in tubes or ([self._named] if self._named.identifier else []):
            yield stored.present_again(self.site, self.link.name, tube.identifier, why, self.at)
        said = {
            "order-feed-stale": "orders cannot be looked up at the moment; present the tube again",
            "identity-mismatch": "two patients share this tube's number; ask the laboratory",
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
        )

    def _keep(self, disposition: str, reason: str, reply: bytes, why: str = "") -> Transaction[Stored]:
        facts = {"problem": why} if why else {}
        return (
            yield from _keep_received(
                self.site, self.received, "query", self.at, disposition, reason, facts, reply, self.query.header
            )
        )


def open_orders(site: str, link: LawLink, tube: Tube, now: datetime) -> Transaction[tuple[Tube, Sequence[Row], str]]:
    """The open orders of a tube that this analyzer can do, each test once; a tube that two patients share has none, and a doubt.

    A barcode recycles (law 6): what was ordered before the end of an earlier tube of this number belongs to that one.
    """
    known = [specimen_of(row) for row in (yield statements.specimens_among(site, [tube.identifier]))]
    valid = [
        one
        for one in known
        if (one.valid_from is None or one.valid_from <= now) and (one.valid_to is None or now <= one.valid_to)
    ]
    owners = {one.patient for one in valid}
    if len(owners) > 1:
        return tube, (), "identity-mismatch"
    if known and not valid:
        return tube, (), ""
    ended = max((one.valid_to for one in known if one.valid_to is not None and one.valid_to < now), default=None)
    wanted: dict[str, Row] = {}
    for row in (yield statements.orders_among(site, [tube.identifier])):
        mine = row.state == "open" and row.loinc not in wanted and link.code_of(row)
        if mine and (ended is None or row.ordered_at is None or read_stamp(row.ordered_at) > ended):
            wanted[row.loinc] = row
    patient = None
    if owners:
        found = yield statements.patients_among(site, sorted(owners))
        patient = patient_of(found[0]) if found else None
    specimen = valid[0] if valid else None
    placed = Tube(tube.identifier, specimen, patient, tube.carrier, tube.position, tube.tray, tube.tray_position)
    return placed, tuple(wanted.values()), ""


def _offered(
    site: str, link: LawLink, tube: Tube, orders: Sequence[Row], at: str, *, queried: bool
) -> Transaction[list[Row]]:
    """The AWOS to be said: those not known to be with the analyzer, and new ones; one per order and analyzer (LAW C.11)."""
    made = yield stored.awos_of_orders([row.id for row in orders])
    newest: dict[int, Row] = {}
    for row in made:
        if row.link == link.name:
            newest[row.order] = row
    names: list[str] = []
    for order in orders:
        old = newest.get(order.id)
        if old is not None and old.state in awos.UNSAID:
            names.append(old.awos)
            if queried:
                yield stored.change(schema.awos, old.id, queried_at=at, updated_at=at)
            continue
        lost = (
            old is not None
            and old.state in (State.ACCEPTED, State.IN_PROCESS)
            and link.profile.rebroadcast_with_new_ids
        )
        if old is not None and not lost and old.state not in awos.OFFERED_AGAIN:
            continue
        if old is not None and lost:  # it has lost its worklist: the same work under a new identity
            yield stored.change(
                schema.awos, old.id, state=State.CANCELLED, reason=awos.REPLACED, closed_at=at, updated_at=at
            )
        name = awos.new_name()
        yield from _plan(site, link, order, name, tube.patient.identifier if tube.patient else "", at, queried=queried)
        names.append(name)
    if not names:
        return []
    rows = yield stored.awos_named(site, names)
    return sorted(rows, key=lambda row: int(row.id))


def _plan(
    site: str, link: LawLink, order: Row, name: str, patient: str, at: str, *, queried: bool = False, wanted: str = ""
) -> Transaction[None]:
    code = link.code_of(order)
    assert code is not None
    yield statements.insert(
        schema.awos,
        site=site,
        awos=name,
        link=link.name,
        specimen=order.specimen,
        patient=patient,
        loinc=order.loinc,
        code=code.code,
        test_name=order.test_name or code.text,
        order=order.id,
        priority=order.priority,
        state=State.PLANNED,
        wanted=wanted,
        created_at=at,
        queried_at=at if queried else None,
        updated_at=at,
    )


def _said(rows: Sequence[Row], broadcast: Broadcast, at: str, *, cancel: bool = False) -> Transaction[None]:
    """These AWOS are spoken of in a message that is about to leave."""
    for row in rows:
        state = row.state if cancel else State.BROADCAST
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            wanted="",
            control_id=broadcast.control_id,
            waits=1,
            sends=row.sends + 1 if not cancel else row.sends,
            broadcast_at=at,
            updated_at=at,
        )


def _is_fresh(site: str, now: datetime, max_age: float) -> Transaction[bool]:
    rows = yield stored.last_order(site)
    last: str | None = rows[0].at if rows else None
    return last is not None and (now - read_stamp(last)).total_seconds() <= max_age


# --- messages, both ways --------------------------------------------------------------------------------------------------


def _keep_received(
    site: str,
    received: Received,
    kind: str,
    at: str,
    disposition: str,
    reason: str,
    facts: Mapping[str, str],
    reply: bytes | None,
    header: Header,
) -> Transaction[Stored]:
    rows = yield statements.insert(
        schema.message,
        site=site,
        link=received.link,
        session=received.session,
        first_frame=received.first,
        last_frame=received.last,
        place=received.place,
        direction=">",
        protocol=received.protocol,
        peer=received.peer,
        received_at=at,
        raw=received.raw,
        digest=hashlib.sha256(received.raw).hexdigest(),
        control_id=received.control_id,
        sender=header.sending_application,
        software_version=SOFTWARE_VERSION,
        kind=kind,
        disposition=disposition,
        reason=reason,
        facts=json.dumps(dict(facts), sort_keys=True, ensure_ascii=False),
        reply=reply,
    )
    return Stored(int(rows[0].id), disposition, reason, 0, reply=reply or b"")


def _keep_sent(
    site: str, link: LawLink, one: Broadcast, at: str, session: str = "", peer: str = ""
) -> Transaction[None]:
    """Keep a message of ours as it will leave."""
    yield statements.insert(
        schema.message,
        site=site,
        link=link.name,
        session=session,
        direction="<",
        protocol="hl7",
        peer=peer,
        received_at=at,
        raw=one.raw,
        digest=hashlib.sha256(one.raw).hexdigest(),
        control_id=one.control_id,
        software_version=SOFTWARE_VERSION,
        kind="order",
        disposition="accepted",
    )


def _keep_reply(
    site: str, link: LawLink, received: Received, reply: WorkReply, at: str, tally: Counter[str]
) -> Transaction[Stored]:
    digest = hashlib.sha256(received.raw).hexdigest()
    for row in (yield statements.message_at(site, received.session, received.last, received.place)):
        if row.digest == digest:
            return Stored(row.id, row.disposition, row.reason, 0, repeat=True)
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    sent = yield stored.sent_message(site, link.name, reply.control_id)
    if not sent:
        facts = {"control_id": reply.control_id, "link": link.name}
        kept = yield from _keep_received(
            site, received, "ack", at, "quarantined", "reply-to-nothing", facts, None, reply.header
        )
        yield statements.insert(
            schema.quarantine,
            site=site,
            message=kept.message,
            reason="reply-to-nothing",
            facts=json.dumps(facts, sort_keys=True, ensure_ascii=False),
            raised_at=at,
        )
        return kept
    said = reply.errors[0].text if reply.errors else reply.text
    facts = {"control_id": reply.control_id, "answer": reply.code} | ({"said": said} if said else {})
    kept = yield from _keep_received(site, received, "order-response", at, "accepted", "", facts, None, reply.header)
    if reply.code.startswith("C"):
        return kept
    work = read_work(Message.parse(sent[0].raw), link.profile)
    if isinstance(work, NoWork):
        return kept
    told = {one.step.awos.id: one for one in outcomes(work, reply, link.profile) if one.step.awos}
    for row in (yield stored.awos_named(site, list(told) or [""])):
        one = told[row.awos]
        state, reason = awos.answered(row.state, one.control, one.status, sends=row.sends)
        mine = row.control_id == reply.control_id
        if not reason and state in (State.REFUSED, State.UNABLE):
            reason = said or f"{reply.code} {one.control}".strip()
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            reason=reason or ("" if row.reason == awos.UNANSWERED else row.reason),
            waits=0 if mine else row.waits,
            answered_at=at,
            closed_at=at if state in awos.CLOSED and not row.closed_at else row.closed_at,
            updated_at=at,
        )
        if state != row.state:
            tally[str(state)] += 1
    return kept


def _write_due(
    site: str, link: LawLink, to: Header | None, now: datetime, most: int
) -> Transaction[Sequence[Broadcast]]:
    """Write what is owed: one message per tube and kind, oldest first."""
    rows = yield stored.awos_wanted(site, link.name, most=MOST_ORDERS)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.specimen, row.wanted), []).append(row)
    at = stamp(now)
    found: list[Broadcast] = []
    for (specimen, wanted), steps in list(groups.items())[:most]:
        tube, _, doubt = yield from open_orders(site, link, Tube(specimen), now)
        if doubt and wanted == "NW":  # whose tube it is, is for a person: it stays planned, and status shows it
            for row in steps:
                yield stored.change(schema.awos, row.id, wanted="", reason=doubt, updated_at=at)
            continue
        broadcast = write_steps(link, tube, steps, control=wanted, to=to, at=now)
        yield from _keep_sent(site, link, broadcast, at)
        yield from _said(steps, broadcast, at, cancel=wanted == "CA")
        found.append(broadcast)
    return found


def _waiting(site: str, link: str) -> Transaction[Sequence[Broadcast]]:
    numbers = list(dict.fromkeys([row.control_id for row in (yield stored.awos_waiting(site, link))]))
    found: list[Broadcast] = []
    for number in numbers:
        rows = yield stored.sent_message(site, link, number)
        found += [Broadcast(number, row.raw) for row in rows[:1]]
    return found


def _count_send(site: str, control_id: str, at: str) -> Transaction[None]:
    for row in (yield stored.awos_of_message(site, control_id)):
        yield stored.change(schema.awos, row.id, sends=row.sends + 1, updated_at=at)


def _mark_unanswered(site: str, control_id: str, at: str) -> Transaction[None]:
    for row in (yield stored.awos_of_message(site, control_id)):
        yield stored.change(schema.awos, row.id, reason=awos.UNANSWERED, updated_at=at)


# --- orders that come, change and go --------------------------------------------------------------------------------------


def _plan_changes(site: str, links: Sequence[LawLink], orders: Sequence[Row], at: str) -> Transaction[None]:
    """New orders for analyzers that keep a worklist; cancelled ones for every analyzer that has them."""
    made: dict[int, list[Row]] = {}
    for row in (yield stored.awos_of_orders([row.id for row in orders])):
        made.setdefault(row.order, []).append(row)
    for order in orders:
        if order.state == "cancelled":
            for row in made.get(order.id, ()):
                yield from cancel_step(row, awos.ORDER_CANCELLED, at)
        if order.state != "open":
            continue
        for link in links:
            if (
                link.push
                and link.code_of(order)
                and not any(row.link == link.name for row in made.get(order.id, ()))
            ):
                yield from _plan(site, link, order, awos.new_name(), "", at, wanted="NW")


def rerun(site: str, link: LawLink, row: Row, at: str) -> Transaction[str]:
    """Ask for a test once more: a new AWOS for the same order (LAW C.3); returns its identity.

    An analyzer that keeps a worklist is told at once, another gets it when it asks for the tube.
    """
    (order,) = [one for one in (yield statements.orders_among(site, [row.specimen])) if one.id == row.order]
    yield stored.change(schema.order, order.id, state="open", updated_at=at)
    name = awos.new_name()
    yield from _plan(site, link, order, name, row.patient, at, wanted="NW" if link.push else "")
    return name
