"""Which ordered tests leave for another laboratory? ONE transaction makes the sub-order, its outbox row, and the order itself (house §4).

Routing is configuration, never a guess: what no route takes stays here. What a test asks for and is not there (the prescription, a consent, an answer)
blocks its own sub-order alone, and a task says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from labmw.clock import stamp
from labmw.lab.giving_way import GivingWay, Going, pair
from labmw.lab.lis_told import Doubt, Told, raise_task
from labmw.lab.order_places import places_of
from labmw.lab.sub_orders import Cause, again, move, note, tell_partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import lis as lis_stored
from labmw.store.statements import partners, tasks
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Segment
from protocols.hl7.ilw_states import ENDED, Event, State
from protocols.hl7.ltw_values import OrderRequest, Orders
from protocols.hl7.values import Coded, Numeric, Text, Value

BLOCKED = "interlab-missing"
CANNOT_CANCEL = "interlab-cannot-cancel"
NO_PLACE = "interlab-no-place"
URGENCY = "interlab-urgency"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One test or battery that was ordered under one number."""

    orders: tuple[Row, ...]
    kind: str

    @property
    def tests(self) -> tuple[str, ...]:
        """Its LOINC codes."""
        return tuple(sorted(row.loinc for row in self.orders))

    @property
    def first(self) -> Row:
        """The order that stands for all."""
        return self.orders[0]


def send_elsewhere(told: Told, orders: Orders, giving_way: Sequence[GivingWay] = ()) -> Transaction[Counter[str]]:
    """Make sub-orders of what a message has ordered and other laboratories perform; return how many tests leave for whom.

    `giving_way` are sub-orders that the message replaces and that their partners have not been told of: they are told here, one way or the other.
    """
    leaving, made = yield from _leaving(told, orders)
    profiles = told.terms.elsewhere.partners if told.terms.elsewhere is not None else {}
    pairing = frozenset(name for name, terms in profiles.items() if terms.profile.replace == "rp-ro")
    paired, alone = pair(giving_way, leaving, pairing)
    for row in alone:
        yield from tell_partner(told.site, row.partner, [(row, "CA", "")], told.message, told.at)
    cause = Cause(told.site, told.at, told.message, told.terms.name)
    for (partner, _), said in paired.items():
        yield from tell_partner(told.site, partner, said, told.message, told.at)
        old = ", ".join(row.number for row, control, _ in said if control == "RP")
        for row in [row for row, control, _ in said if control == "RO"]:
            yield from note(row, "replaces", row.state, cause, {"order": old})
    return made


def _leaving(told: Told, orders: Orders) -> Transaction[tuple[dict[tuple[str, str], list[Going]], Counter[str]]]:
    """The sub-orders that leave now, by partner and tube, and how many tests leave for whom."""
    leaving: dict[tuple[str, str], list[Going]] = {}
    made: Counter[str] = Counter()
    elsewhere = told.terms.elsewhere
    if elsewhere is None or not elsewhere.routes:
        return leaving, made
    opened = yield stored.orders_opened_by(told.site, told.message)
    if not opened:
        return leaving, made
    wanted = yield from together(told.site, opened)
    states = yield statements.link_states(told.site)
    down = frozenset(row.link for row in states if not row.connected)
    asked = {one.placer.id.strip(): one for one in orders.orders if one.placer is not None}
    pv1 = orders.patient.pv1 if orders.patient is not None else None
    for one in wanted:
        order = asked.get(one.first.placer)
        places = places_of(order.orc if order is not None else None, pv1, told.terms.place)
        way = elsewhere.route_for(one.tests, one.kind, told.now, told.terms.zone, down, places)
        if way.asks_for_place:
            yield from _from_nowhere(told, one, way.partner)
            continue
        if places:
            yield tasks.close_task(
                told.site,
                NO_PLACE,
                f"order/{one.first.id}",
                at=told.at,
                by=told.terms.name,
                why="the place is named now",
            )
        if not way.partner:
            continue
        partner = way.partner
        terms = elsewhere.partners[partner]
        cause = Cause(told.site, told.at, told.message, told.terms.name)
        row, ready = yield from make_sub_order(told, terms, one, order, cause)
        made[partner] += len(one.tests)
        if ready and (terms.partner.send == "at-once" or (yield from has_left(row))):
            leaving.setdefault((partner, one.first.specimen), []).append(Going(row, one.first.placer))
    return leaving, made


def has_left(row: Row) -> Transaction[bool]:
    """Whether its tube is on its way to the partner already, for another sub-order; one that is packed and still here takes the new one into its box."""
    for other in (yield stored.sub_orders_on(row.site, row.specimen)):
        if (other.role, other.partner) != ("requester", row.partner) or other.box is None:
            continue
        [box] = yield partners.box_of(other.box)
        yield change(schema.sub_order, row.id, box=other.box, aliquot=other.aliquot)
        return bool(box.state != "open")
    return False


def _from_nowhere(told: Told, one: Wanted, partner: str) -> Transaction[None]:
    """Whether the tests leave depends on where they were ordered, and the order does not say it: they stay, and a person decides."""
    first = one.first
    facts = {"order": first.placer or "-", "partner": partner, "test": first.test_name or ", ".join(one.tests)}
    facts |= {"specimen": first.specimen, "fields": ", ".join(told.terms.place)}
    yield from raise_task(told.site, NO_PLACE, f"order/{first.id}", first.specimen, facts, told.at)


def together(site: str, opened: Sequence[Row]) -> Transaction[list[Wanted]]:
    """The orders, those of a battery together."""
    kinds: dict[str, str] = {}
    for row in (yield statements.specimens_among(site, sorted({row.specimen for row in opened}))):
        kinds[row.identifier] = row.kind
    groups: dict[object, list[Row]] = {}
    for row in opened:
        groups.setdefault((row.specimen, row.placer) if row.placer else row.id, []).append(row)
    return [Wanted(tuple(rows), kinds.get(rows[0].specimen, "")) for rows in groups.values()]


def make_sub_order(
    told: Told, terms: PartnerTerms, one: Wanted, asked: OrderRequest | None, cause: Cause, number: str = ""
) -> Transaction[tuple[Row, bool]]:
    """Write one sub-order (`number`: where the usual one has been used); return it, and whether nothing is missing."""
    partner = terms.partner
    entries = yield partners.catalogue_at(told.site, partner.name, told.at)
    origins = yield lis_stored.origins_of(told.site, [one.first.id])
    said = Code.read(Segment(origins[0].obr), 4) if origins and origins[0].obr else None
    service, entry = service_for(one, terms, entries, (said.text or said.code) if said else "")
    owner = yield statements.specimens_among(told.site, [one.first.specimen])
    patient = next((row.patient for row in reversed(owner) if row.patient), "")
    group = EntityId.read(Segment(origins[0].orc), 4) if origins and origins[0].orc else None
    answers = _answers(asked)
    missing = _missing(entry, answers, service)
    hours = float(entry.turnaround) if entry is not None and entry.turnaround else partner.turnaround
    name = number or f"SO{told.message}-{one.first.id}"
    made = yield statements.insert(
        schema.sub_order,
        site=told.site,
        role="requester",
        partner=partner.name,
        number=name,
        authority=told.site,
        group_number=group.id if group else "",
        group_authority=group.authority if group else "",
        specimen=one.first.specimen,
        patient=patient,
        service=json.dumps(service.components(), ensure_ascii=False),
        tests=json.dumps(one.tests),
        missing=json.dumps(missing, ensure_ascii=False),
        priority=one.first.priority,
        state=State.CREATED.value,
        message=told.message,
        due_at=stamp(told.now + timedelta(hours=hours)),
        created_at=told.at,
        updated_at=told.at,
    )
    key = int(made[0].id)
    for order in one.orders:
        yield statements.insert(schema.sub_order_order, site=told.site, sub_order=key, order=order.id)
        yield change(schema.order, order.id, state="elsewhere", updated_at=told.at)
    for kind, text in answers.items():
        yield statements.insert(schema.sub_order_item, site=told.site, sub_order=key, kind=kind, text=text, at=told.at)
    rows = yield stored.sub_orders_numbered(told.site, "requester", partner.name, [name])
    row = rows[0]
    yield from note(
        row, "created", State.CREATED.value, cause, {"partner": partner.name, "missing": ", ".join(missing)}
    )
    if missing:
        facts = {"order": name, "partner": partner.name, "missing": ", ".join(missing)}
        yield from raise_task(told.site, BLOCKED, f"sub-order/{name}", row.specimen, facts, told.at)
    return row, not missing


def service_for(one: Wanted, terms: PartnerTerms, entries: Sequence[Row], named: str = "") -> tuple[Code, Row | None]:
    """How the partner calls a test or battery, and what its catalogue says of it. A battery that it has no code for keeps none."""
    partner, tests = terms.partner, set(one.tests)
    system = f"99{partner.name}"
    code = next((code for code, meant in terms.lis.tests.items() if set(meant) == tests), "")
    entry = next((row for row in entries if row.code == code or (len(tests) == 1 and row.loinc in tests)), None)
    code = code or (entry.code if entry is not None else "")
    name = named or one.first.test_name or code or one.tests[0]
    if len(tests) > 1:
        return (Code(code, name, system) if code else Code("", name)), entry
    (loinc,) = tests
    local = code if code != loinc else ""
    return Code(
        loinc, name, "LN", local, (entry.name if entry else name) if local else "", system if local else ""
    ), entry


def _answers(asked: OrderRequest | None) -> dict[str, str]:
    """What the LIS has answered to questions of the test, by the question's code."""
    found: dict[str, str] = {}
    for one in asked.answers if asked else ():
        if one.value is not None and (one.code.code or one.code.local_code):
            found[one.code.code or one.code.local_code] = _words(one.value, one.unit)
    return found


def _words(value: Value, unit: Code | None) -> str:
    match value:
        case Numeric(number, comparator):
            return f"{comparator}{number:f} {unit.code if unit else ''}".strip()
        case Text(text):
            return text
        case Coded(code):
            return code.text or code.code
    return ""


def _missing(entry: Row | None, answers: Mapping[str, str], service: Code) -> list[str]:
    """What the test asks for and is not there."""
    found = [] if service.code or service.local_code else ["code"]
    if entry is None:
        return found
    found += [kind for kind in json.loads(entry.requires) if kind not in answers]
    return found + [
        one["code"] for one in json.loads(entry.questions) if one.get("required") and one["code"] not in answers
    ]


# --- more urgent, or less --------------------------------------------------------------------------------------------------------


def tell_urgency(cause: Cause, order: Row, priority: str) -> Transaction[None]:
    """The LIS gives an order that is elsewhere another priority. What has not left leaves with it; of what has, a person tells the partner.

    IHE ILW, as far as it is known here, has no message that says so (protocol notes, D).
    """
    for row in (yield stored.sub_orders_of_orders(cause.site, [order.id])):
        if row.role != "requester" or row.priority == priority or State(row.state) in ENDED:
            continue
        yield change(schema.sub_order, row.id, priority=priority, updated_at=cause.at)
        yield from note(row, "priority-changed", row.state, cause, {"from": row.priority, "to": priority})
        if (yield stored.sayings_of(row.id)):
            facts = {"order": row.number, "partner": row.partner, "specimen": row.specimen, "priority": priority}
            yield from raise_task(cause.site, URGENCY, f"sub-order/{row.number}", row.specimen, facts, cause.at)


# --- taken back ------------------------------------------------------------------------------------------------------------------


def cancel_elsewhere(cause: Cause, order: Row) -> Transaction[None]:
    """The LIS takes an order back that another laboratory was asked for: the partner is told, unless it has never heard of it."""
    for row in (yield stored.sub_orders_of_orders(cause.site, [order.id])):
        if row.role == "requester":
            yield from cancel_sub_order(row, cause)


def give_way(cause: Cause, order: Row) -> Transaction[list[Row]]:
    """The same for an order that others replace; return the sub-orders of which their partners are still to be told."""
    found = []
    for row in (yield stored.sub_orders_of_orders(cause.site, [order.id])):
        if row.role == "requester" and (yield from _taken_back(row, cause)) is State.CANCEL_SENT:
            found.append(row)
    return found


def cancel_sub_order(row: Row, cause: Cause) -> Transaction[bool]:
    """Take a sub-order back; return whether that could be said. What was never written to the partner is cancelled at once."""
    now = yield from _taken_back(row, cause)
    if now is State.CANCEL_SENT:
        message = cause.message or row.message
        yield from tell_partner(cause.site, row.partner, [(row, "CA", "")], message, cause.at)
    return now is not None


def _taken_back(row: Row, cause: Cause) -> Transaction[State | None]:
    """Where taking it back leads: None when it cannot be, CANCEL_SENT when the partner is to be told, CANCELLED when there is nothing to tell."""
    sayings = yield stored.sayings_of(row.id)
    if sayings and row.state == State.CREATED:  # the message may be on its way this very moment
        yield from move(row, Event.SENT, cause)
        row = yield from again(row)
    after = yield from move(row, Event.CANCEL, cause)
    if isinstance(after, Doubt):
        return None
    at, by = cause.at, cause.by
    yield tasks.close_task(row.site, BLOCKED, f"sub-order/{row.number}", at=at, by=by, why="it was taken back")
    told_before = row.state == State.CANCEL_SENT
    return State.CANCELLED if told_before else after.state
