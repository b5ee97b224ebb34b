"""What is done of what rules ask for? Each action once for a tube of a patient, whatever asks again, and never in a circle.

The durable key is (tube, patient, kind, target): written in the transaction of the verdict, it makes a repeat, a second pack or a restart harmless.
A test is measured again by itself once; a test that rules have added adds no further one by itself. What may not be done by itself is proposed
to a person, never dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labmw.lab import awos
from labmw.lab.lis_told import raise_task
from labmw.lab.partner_reflex import add_for_requester
from labmw.lab.planning import plan, rerun
from labmw.lab.practice import Practice
from labmw.lab.surroundings import Surroundings
from labmw.lab.validation import order_again
from labmw.model import Asked, Verdict
from labmw.store import schema, statements
from labmw.store.statements import deciding, interlab
from labmw.store.statements import recalls as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import AGAIN as AGAIN_HERE
from labmw.store.statements.worklist import change, present_again
from labmw.store.transaction import Row, Transaction

ADDING: Final = ("reflex", "add-on")
AGAIN: Final = ("rerun", "dilute", "route")
BY: Final = "rules"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one action: done, proposed to a person, or refused by a guard."""

    kind: str
    state: str
    ordered: bool = False  # an analyzer is owed something


def act(
    site: str, judged: Sequence[tuple[Row, Verdict]], known: Surroundings, practice: Practice, at: str
) -> Transaction[list[Done]]:
    """Carry out what the rules ask for of these results."""
    done: list[Done] = []
    for row, verdict in judged:
        for asked in verdict.actions:
            found = yield from _one(site, row, asked, known, practice, at)
            if found is not None:
                done.append(found)
    return done


def _one(
    site: str, row: Row, asked: Asked, known: Surroundings, practice: Practice, at: str
) -> Transaction[Done | None]:
    # A test that is measured again is its own target; what else the action says (a dilution, an analyzer) stands in its facts.
    target = asked.target if asked.kind in ADDING else row.loinc
    if asked.kind in ADDING and (yield stored.added_by_rules(site, row.specimen, row.patient, [target])):
        return None  # added, or proposed, under the other name
    state, why = yield from _guarded(site, row, asked, known)
    facts = {**dict(asked.facts), "asked": asked.target, "why": why, "protocol": asked.protocol}
    made = yield statements.insert_once(
        schema.action, site=site, specimen=row.specimen, patient=row.patient, kind=asked.kind, target=target,
        result=row.id, rule=asked.rule, pack=asked.pack, state=state, at=at,
        facts=json.dumps({name: fact for name, fact in facts.items() if fact}, sort_keys=True, ensure_ascii=False),
    )  # fmt: skip
    if not made:
        return None  # asked before: done, proposed or refused, and it stays so
    ordered = False
    if state == "done":
        ordered = yield from _carry_out(site, row, asked, practice, at)
    elif state == "proposed":
        yield from _propose(site, row, asked, at)
    yield audited(
        site, at=at, who=BY, what=f"action-{state}", subject=f"result/{row.id}", why=why or asked.rule,
        kind=asked.kind, target=target, rule=asked.rule, pack=asked.pack, protocol=asked.protocol,
    )  # fmt: skip
    return Done(asked.kind, state, ordered)


def _guarded(site: str, row: Row, asked: Asked, known: Surroundings) -> Transaction[tuple[str, str]]:
    """Whether an action is done, proposed or refused, and why."""
    if asked.kind in AGAIN:
        runs = [one for one in known.rows if _same(one, row) and one.loinc == row.loinc and one.id != row.id]
        return ("refused", "measured-again-already") if runs else ("done", "")
    if asked.kind not in ADDING:
        return "done", ""
    if asked.target == row.loinc:
        return "refused", "asks-for-itself"
    there = any(_same(one, row) and one.loinc == asked.target for one in known.rows)
    if there or asked.target in known.ordered.get((row.specimen, row.patient), frozenset()):
        return "refused", "ordered-already"
    if not asked.agreed:
        return "proposed", "no-signed-protocol"
    added = yield stored.added_by_rules(site, row.specimen, row.patient, [row.loinc])
    if any(one.state == "done" for one in added):
        return "proposed", "added-by-a-rule-itself"
    return "done", ""


def _same(one: Row, row: Row) -> bool:
    return bool((one.specimen, one.patient) == (row.specimen, row.patient))


def _carry_out(site: str, row: Row, asked: Asked, practice: Practice, at: str) -> Transaction[bool]:
    """Do it; answers whether an analyzer is owed something by it."""
    match asked.kind:
        case "rerun":
            return bool((yield from order_again(site, row, practice.analyzers, at, BY, asked.rule)))
        case "dilute":
            return (yield from _dilute(site, row, asked, practice, at))
        case "route" if asked.target in practice.analyzers:
            return (yield from _route(site, row, asked, practice, at))
        case "route":
            yield from _by_hand(site, row, asked, "route-by-hand", at)
            return False
        case "reflex" | "add-on":
            yield from _add(site, row, asked, practice, at)
            return True
        case _:
            return False  # a call is opened when the result is released


def _dilute(site: str, row: Row, asked: Asked, practice: Practice, at: str) -> Transaction[bool]:
    """Have the analyzer that measured the test measure it again diluted; where it cannot be told so, a person is, and why."""
    why = "no-order"
    for step in (yield deciding.awos_of_result(row.id)):
        link = practice.analyzers.get(step.link)
        if link is None or step.order is None or link.code_of(step) is None:
            continue
        if link.dilutes(asked.target):
            yield from rerun(site, link, step, at, asked.target)
            return True
        why = "no-dilution"
    yield from _by_hand(site, row, asked, "dilute-by-hand", at, why=why, analyzer=row.link)
    return False


def _route(site: str, row: Row, asked: Asked, practice: Practice, at: str) -> Transaction[bool]:
    """Have another analyzer measure the test too; the run that is there stays."""
    link = practice.analyzers[asked.target]
    orders = [one for one in (yield statements.orders_among(site, [row.specimen])) if one.loinc == row.loinc]
    usable = [one for one in orders if one.state != "cancelled" and link.code_of(one) is not None]
    if not usable:
        yield from _by_hand(site, row, asked, "route-by-hand", at)
        return False
    order = usable[-1]
    yield change(schema.order, order.id, state="open", updated_at=at)
    yield from plan(site, link, order, awos.new_name(), row.patient, at, wanted="NW" if link.push else "")
    if not link.push:
        yield present_again(site, link.name, row.specimen, AGAIN_HERE, at)
    return True


def _add(site: str, row: Row, asked: Asked, practice: Practice, at: str) -> Transaction[None]:
    """Order a test on the tube under the signed protocol, and tell the LIS that it is under way."""
    name = dict(asked.facts).get("test_en", asked.target)
    filler = f"ADD-{row.id}-{asked.target}"
    made = yield statements.insert_or_update(
        schema.order, site=site, specimen=row.specimen, loinc=asked.target, placer="", filler=filler,
        priority=row.priority or "R", ordered_at=at, state="open", test_name=name, updated_at=at,
    )  # fmt: skip
    asking = [
        one
        for one in (yield interlab.sub_orders_on(site, row.specimen))
        if one.role == "subcontractor" and one.patient == row.patient
    ]
    if asking:  # another laboratory's tube: it is asked for a number, and our LIS hears nothing
        yield from add_for_requester(
            asking, int(made[0].id), (str(row.loinc), asked.target, name), int(row.message), at
        )
        return
    if not practice.lis:
        return
    made = yield statements.insert(
        schema.outbox, site=site, destination=practice.lis, control_id=awos.new_name()[:20].upper(), specimen=row.specimen,
        message=row.message, state="waiting", priority=row.priority or "R", due_at=at, created_at=at,
    )  # fmt: skip
    yield statements.insert(
        schema.added_test, site=site, outbox=made[0].id, result=row.id, loinc=asked.target, test_name=name,
        protocol=asked.protocol, at=at,
    )  # fmt: skip


def _propose(site: str, row: Row, asked: Asked, at: str) -> Transaction[None]:
    facts = _facts(row, asked)
    subject = f"{row.specimen}/{asked.target}"
    yield from raise_task(site, f"propose-{asked.kind}", subject, row.specimen, facts, at)


def _by_hand(site: str, row: Row, asked: Asked, kind: str, at: str, **more: str) -> Transaction[None]:
    yield from raise_task(site, kind, f"result/{row.id}", row.specimen, {**_facts(row, asked), **more}, at)


def _facts(row: Row, asked: Asked) -> Mapping[str, str]:
    facts = dict(asked.facts)
    return {
        "specimen": row.specimen, "test": row.test_name or row.code, "value": f"{row.value} {row.unit_raw}".strip(),
        "asked": facts.get("test_en", asked.target), "rule": asked.rule,
    }  # fmt: skip
