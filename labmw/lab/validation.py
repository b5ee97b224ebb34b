"""What does a person decide about a result that the rules have not let go? Each decision is one transaction: state, verdict, audit, and what leaves.

Technical validation says that the measurement is sound, biological validation that it may be used for this patient. They are two acts of
two roles. Nothing that rules do is either: what they release is marked automatic. Where the biological validation is done in the LIS,
nothing leaves here as more than technically validated (OBX-11 P).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from labmw.lab.deciding import Decision
from labmw.lab.lis_told import raise_task
from labmw.lab.planning import rerun as plan_rerun
from labmw.lab.reporting import report_all
from labmw.lab.rights import Rights, Undecidable
from labmw.lab.routes import Takes, everything
from labmw.lab.work_link import WorkLink
from labmw.model import VerdictLevel
from labmw.store import schema, statements
from labmw.store.json_text import json_list
from labmw.store.statements import deciding as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Step, Transaction

Stage = Literal["technical", "biological"]
UNDECIDED: Final = ("held", "technical", "blocked")
RERUN_BY_HAND: Final = "rerun-by-hand"
HELD_BY_PERSON: Final = "held-by-person"
LONGEST_COMMENT: Final = 2000  # characters; NTE-3 of some receivers ends there


@dataclass(frozen=True, slots=True)
class House:
    """What of the laboratory bears on a decision: who may what, to whom results go, and where biological validation is done."""

    rights: Rights
    destinations: tuple[str, ...] = ()
    lis: str = ""  # the destination that is told of what cannot be obtained; "" = nobody is
    validation: Literal["labmw", "lis"] = "labmw"
    analyzers: Mapping[str, WorkLink] | None = None  # those that are told what to do, by link
    takes: Takes = everything  # which destination takes which result
    keyboard: str = ""  # who is logged in where the decision was typed, for the audit
    released: Callable[[Decision, Sequence[Row]], Transaction[None]] | None = None  # what follows a release


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which results are meant: those of a tube, of one test on it (code, LOINC or name), or the one of a number."""

    specimen: str
    test: str = ""
    number: int | None = None

    def among(self, rows: Sequence[Row], fitting: Sequence[str]) -> list[Row]:
        """Return the rows meant that are in a fitting state; raises Undecidable where that is none, or could be two people's."""
        if not rows:
            raise Undecidable("decide-no-specimen", specimen=self.specimen)
        meant = [row for row in rows if self._means(row)]
        if not meant:
            known = ", ".join(dict.fromkeys(row.test_name or row.code for row in rows))
            raise Undecidable("decide-no-test", specimen=self.specimen, test=self.test or self.number, known=known)
        here = [row for row in meant if row.state in fitting]
        if not here:
            states = ", ".join(dict.fromkeys(row.state for row in meant))
            raise Undecidable("decide-state", specimen=self.specimen, test=self.test or "*", states=states)
        if len({row.patient for row in here}) > 1:
            numbers = ", ".join(f"{row.id} ({row.test_name or row.code})" for row in here)
            raise Undecidable("decide-two-patients", specimen=self.specimen, numbers=numbers)
        return here

    def _means(self, row: Row) -> bool:
        if self.number is not None:
            return bool(row.id == self.number)
        wanted = self.test.strip().casefold()
        return not wanted or wanted in (row.code.casefold(), row.loinc.casefold(), row.test_name.casefold())


def release(decision: Decision, chosen: Chosen, house: House, stage: Stage) -> Transaction[list[tuple[Row, str]]]:
    """Validate held results; answers each with the state it comes to.

    Technical validation ends at "technical", where a biologist decides; a review by a technician ends the matter where the biological
    validation is done in the LIS. Of two runs of one test one must be chosen: both would be reported.
    """
    role = house.rights.require(decision.by, stage)
    rows = chosen.among((yield stored.results_on(decision.site, chosen.specimen)), ("held", "technical"))
    _one_run_each(rows)
    found: list[tuple[Row, str]] = []
    for row in rows:
        if row.state == "technical" and stage == "technical":
            raise Undecidable("decide-technical-already", test=row.test_name or row.code, by=row.decided_by)
        if stage == "biological":
            yield from _no_other_release(decision, row)
        review = _level(row) <= VerdictLevel.REVIEW
        leaves = stage == "biological" or (house.validation == "lis" and review)
        # In the LIS a biologist validates again: what leaves for there is technically validated, whoever did it.
        kept: Stage = "technical" if house.validation == "lis" else stage
        becomes = "released" if leaves else "technical"
        level = VerdictLevel.RELEASE if leaves else max(_level(row), VerdictLevel.HOLD)
        yield from _decide(decision, house, row, becomes, level, f"validated-{stage}", role, stage=kept)
        found.append((row, becomes))
    released = [row for row, becomes in found if becomes == "released"]
    for row in released:
        yield from replace_runs(decision.site, row, decision.at, decision.by)
    yield from report_all(decision.site, house.destinations, released, decision.at, house.takes)
    if released and house.released is not None:
        yield from house.released(decision, released)
    return found


def hold(decision: Decision, chosen: Chosen, house: House) -> Transaction[list[Row]]:
    """Keep results back: what waits for the rules, what is technically validated, and what is released and has not begun to leave."""
    role = house.rights.require(decision.by, "hold")
    fitting = ("verify", "technical", "released", "held")
    rows = chosen.among((yield stored.results_on(decision.site, chosen.specimen)), fitting)
    for row in rows:
        if row.state == "released":
            yield from _unload(row)
        yield from _decide(decision, house, row, "held", VerdictLevel.HOLD, HELD_BY_PERSON, role)
    return rows


def reject(decision: Decision, chosen: Chosen, house: House) -> Transaction[list[Row]]:
    """Refuse results: they are kept, shown, and go nowhere. The LIS is told that the test cannot be obtained unless another run stands for it."""
    role = house.rights.require(decision.by, "reject")
    rows = chosen.among((yield stored.results_on(decision.site, chosen.specimen)), UNDECIDED)
    for row in rows:
        yield from _decide(decision, house, row, "rejected", VerdictLevel.BLOCK, "rejected-by-person", role)
    for row in rows:
        others = yield stored.other_runs(decision.site, row.specimen, row.patient, row.loinc, row.id)
        if house.lis and not others:
            yield from _cannot_be_obtained(decision, house.lis, row)
    return rows


def rerun(decision: Decision, chosen: Chosen, house: House) -> Transaction[list[tuple[Row, str]]]:
    """Ask for tests once more; answers each with the new AWOS, "" where a person has to start the analyzer by hand.

    The run that is doubted stays held; when the next one is released it takes its place.
    """
    role = house.rights.require(decision.by, "rerun")
    rows = chosen.among((yield stored.results_on(decision.site, chosen.specimen)), UNDECIDED)
    found: list[tuple[Row, str]] = []
    for row in rows:
        becomes = "held" if row.state == "technical" else row.state
        yield from _decide(decision, house, row, becomes, _level(row), "rerun-asked", role)
        name = yield from order_again(decision.site, row, house.analyzers or {}, decision.at, decision.by, decision.why)
        found.append((row, name))
    return found


def comment(decision: Decision, chosen: Chosen, house: House) -> Transaction[list[Row]]:
    """Add a sentence that goes out with results. They stay where they are, and with whom: the rules may still let them go."""
    house.rights.require(decision.by, "comment")
    if len(decision.why) > LONGEST_COMMENT:
        raise Undecidable("decide-comment-long", length=len(decision.why), most=LONGEST_COMMENT)
    rows = chosen.among((yield stored.results_on(decision.site, chosen.specimen)), UNDECIDED)
    for row in rows:
        said = json.loads(row.said)
        if decision.why not in said:
            said.append(decision.why)
        kept = {name: getattr(row, name) for name in ("level", "reasons", "trace", "packs", "decided_by", "stage")}
        yield statements.insert(
            schema.verdict,
            site=decision.site,
            result=row.id,
            **kept,
            comments=json_list(said),
            decided_at=decision.at,
        )
        yield _audit(decision, house, row, "commented", row.state)
    return rows


def order_again(site: str, row: Row, analyzers: Mapping[str, WorkLink], at: str, by: str, why: str) -> Transaction[str]:
    """Have a test measured once more; answers the AWOS that asks its analyzer, "" where a task asks a person."""
    for step in (yield stored.awos_of_result(row.id)):
        link = analyzers.get(step.link)
        if link is not None and step.order is not None and link.code_of(step) is not None:
            return (yield from plan_rerun(site, link, step, at))
    facts = {"specimen": row.specimen, "test": row.test_name or row.code, "analyzer": row.link, "by": by, "why": why}
    yield from raise_task(site, RERUN_BY_HAND, f"result/{row.id}", row.specimen, facts, at)
    return ""


def replace_runs(site: str, row: Row, at: str, by: str) -> Transaction[None]:
    """A run that is released stands for its test: the runs that are held go to rest, but for one that a person holds by name."""
    for other in (yield stored.other_runs(site, row.specimen, row.patient, row.loinc, row.id)):
        codes = [one["code"] for one in json.loads(other.reasons)] if other.reasons else []
        # Blocked without the rules having said so: the LIS says that the tube is another patient's. That is not settled by a run.
        strange = other.state == "blocked" and _level(other) < VerdictLevel.BLOCK
        if other.state not in UNDECIDED or codes[:1] == [HELD_BY_PERSON] or strange:
            continue
        if (yield stored.move_result(other.id, states=UNDECIDED, becomes="rejected")):
            yield audited(
                site, at=at, who=by, what="replaced", subject=f"result/{other.id}", why=f"result/{row.id}",
                was=other.state,
            )  # fmt: skip


def _level(row: Row) -> VerdictLevel:
    """What was decided last; of what nobody has judged, that a person decides."""
    return VerdictLevel.HOLD if row.level is None else VerdictLevel(row.level)


def _one_run_each(rows: Sequence[Row]) -> None:
    for row in rows:
        if sum(one.loinc == row.loinc for one in rows) > 1:
            runs = ", ".join(f"{one.id} ({one.value} {one.unit_raw})" for one in rows if one.loinc == row.loinc)
            raise Undecidable("decide-two-runs", test=row.test_name or row.code, runs=runs)


def _no_other_release(decision: Decision, row: Row) -> Transaction[None]:
    """A value that has been reported is corrected by withdrawing it, not by a second one beside it."""
    for other in (yield stored.other_runs(decision.site, row.specimen, row.patient, row.loinc, row.id)):
        if other.state in ("released", "dead"):
            raise Undecidable(
                "decide-other-on-its-way", test=row.test_name or row.code, value=f"{other.value} {other.unit_raw}"
            )


def _unload(row: Row) -> Transaction[None]:
    """Take a result out of what has not been written yet; raises Undecidable when any of it may be on its way."""
    for one in (yield stored.carriers(row.id)):
        if not (yield stored.keep_back(one.id)):
            raise Undecidable("decide-on-its-way", test=row.test_name or row.code, to=one.destination)
        yield stored.unload(one.id, row.id)
        if not (yield stored.drop_empty(one.id)):
            yield change(schema.outbox, one.id, state=one.state)  # the others in it go on


def _decide(
    decision: Decision,
    house: House,
    row: Row,
    becomes: str,
    level: VerdictLevel,
    code: str,
    role: str,
    *,
    stage: str = "",
) -> Transaction[None]:
    """Move a result on, with the verdict of the person before what the rules had said, and the audit."""
    if not (yield stored.move_result(row.id, states=(row.state,), becomes=becomes)):
        raise Undecidable("decide-moved-on", test=row.test_name or row.code)
    facts = {"by": decision.by, "role": role, "why": decision.why}
    mine = {"code": code, "level": level.name.lower(), "rule": "", "facts": facts}
    before = json.loads(row.reasons) if row.reasons else []
    yield statements.insert(
        schema.verdict,
        site=decision.site,
        result=row.id,
        level=int(level),
        reasons=json_list([mine, *before]),
        trace=row.trace or "[]",
        packs=row.packs or "[]",
        comments=row.said or "[]",
        decided_at=decision.at,
        decided_by=decision.by,
        stage=stage,
    )
    yield _audit(decision, house, row, code, becomes, role)


def _audit(decision: Decision, house: House, row: Row, what: str, becomes: str, role: str = "") -> Step:
    return audited(
        decision.site, at=decision.at, who=decision.by, what=what, subject=f"result/{row.id}", why=decision.why,
        was=row.state, becomes=becomes, role=role, keyboard=house.keyboard,
    )  # fmt: skip


def _cannot_be_obtained(decision: Decision, lis: str, row: Row) -> Transaction[None]:
    """Tell the LIS that no value will come (OBX-11 X), so that nobody waits for one."""
    text = f"{decision.site}/{lis}/reject/{row.id}/{decision.at}"
    made = yield statements.insert(
        schema.outbox,
        site=decision.site,
        destination=lis,
        control_id=hashlib.sha256(text.encode()).hexdigest()[:20].upper(),
        specimen=row.specimen,
        message=row.message,
        state="waiting",
        priority=row.priority or "R",
        due_at=decision.at,
        created_at=decision.at,
    )
    yield statements.insert(
        schema.withdrawal,
        site=decision.site,
        result=row.id,
        outbox=made[0].id,
        at=decision.at,
        by=decision.by,
        why=decision.why,
    )
