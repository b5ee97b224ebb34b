"""Where does a result belong? Pure: from what was read and what the store knows, to a state, a reason and an identity.

Law 5: a result is a repeat only if key, value and unit are equal; without time only within the life of one tube, and without a run as well only
when it was resent after a session whose acknowledgment may not have arrived (decision 0083). Law 6: outside the window, without order, or with another sex or birth date: quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from labmw.driver.reading import OrderRead, PatientRead, ResultRead
from labmw.frozen import value
from labmw.lab.naming import another_name
from labmw.model import Order, Patient, ResultKey, Sex, Specimen

VERIFY = "verify"  # waits for the rules
DETAIL = "detail"  # kept and shown beside its result, never reported on its own
CONTROL = "control"  # belongs to quality control
QUARANTINED = "quarantined"
_UNDECIDED = frozenset({"held", "blocked", "technical"})  # a person has it
_LEFT = frozenset({"verify", "released", "delivered", "dead", "rejected"})  # on its way, gone, or put away


@value
class Earlier:
    """A result already stored under the same identity (the key without its run)."""

    id: int
    run: str
    value: str
    number: str
    comparator: str
    unit_raw: str
    state: str
    acknowledged: bool  # False when the sender may not have seen our acknowledgment of its session
    status: str = ""
    flags_raw: str = ""
    at: datetime | None = None  # when it came; None: a moment ago


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows that bears on one message."""

    specimens: Mapping[str, Sequence[Specimen]]
    patients: Mapping[str, Patient]
    orders: frozenset[tuple[str, str]]  # (specimen, loinc)
    materials: frozenset[str]  # registered control materials
    earlier: Mapping[str, Sequence[Earlier]]  # by identity
    cancelled: frozenset[tuple[str, str]] = frozenset()  # ordered, and taken back since
    # Where tubes of several patients have carried the number: for whom each (specimen, loinc) was ordered.
    ordered_for: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)


NOTHING_KNOWN = Known({}, {}, frozenset(), frozenset(), {})


@value
class Placement:
    """One result's place.

    `repeat_of` is the stored result that this one repeats: nothing new is kept but the fact. Where that one lies in quarantine and this
    time nothing stands against it (sent again whole after a cut, or after a driver was mended), `supersedes` is set: it takes that row. So it
    does where a person has not decided yet and the analyzer now gives the same value with another status or other flags: final, say.
    """

    key: ResultKey
    state: str
    reason: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    patient: str = ""
    repeat_of: int | None = None
    supersedes: bool = False


def registered_at(windows: Iterable[Any], at: str) -> frozenset[str]:
    """The control materials that are in use at a moment, by identifier, of rows that say since when and until when each one is."""
    return frozenset(
        [row.identifier for row in windows if row.valid_from <= at and (row.valid_to is None or at <= row.valid_to)]
    )


def identity(key: ResultKey) -> str:
    """Return the key without its run: what two runs of one test share."""
    return "\x1f".join((key.site, key.analyzer, key.specimen, key.code, key.detail, key.completed))


def place(
    read: ResultRead, key: ResultKey, *, kind: str, sender: PatientRead | None, known: Known, at: datetime
) -> Placement:
    """Place one result of a message that was read without objection."""
    run, repeated, doubt = _run(read, key, known, at)
    if run != key.run:
        key = replace(key, run=run)
    if doubt:
        return Placement(key, QUARANTINED, doubt, (("specimen", key.specimen), ("test", key.code)))
    placement = _place(read, key, kind, sender, known, at)
    if repeated is None:
        return placement
    changed = (repeated.status, repeated.flags_raw) != (read.status, read.flags_raw)
    if changed and repeated.state in _LEFT and placement.state == VERIFY:
        # What was thought good, or has left, is doubted now, or corrected: a person compares, and nothing is sent twice.
        taken = {one.run for one in known.earlier.get(identity(key), ())}
        facts = (("specimen", key.specimen), ("test", read.test_name or key.code), *_difference(repeated, read))
        return Placement(
            replace(key, run=next_run(key.run, taken)), QUARANTINED, "changed-repeat", facts, placement.patient
        )
    waits = repeated.state == QUARANTINED or (changed and repeated.state in _UNDECIDED)
    supersedes = waits and placement.state != QUARANTINED
    return replace(placement, repeat_of=repeated.id, supersedes=supersedes)


def _difference(was: Earlier, read: ResultRead) -> tuple[tuple[str, str], ...]:
    return ("was", f"{was.status or '-'} {was.flags_raw or '-'}"), (
        "now",
        f"{read.status or '-'} {read.flags_raw or '-'}",
    )


def _place(
    read: ResultRead, key: ResultKey, kind: str, sender: PatientRead | None, known: Known, at: datetime
) -> Placement:
    if read.problem:
        return Placement(key, QUARANTINED, read.problem, read.problem_facts)
    if control := _control(read, kind, known):
        return Placement(key, *control)
    patient, reason, facts = _patient(read, sender, known, at)
    if reason:
        return Placement(key, QUARANTINED, reason, facts)
    if not read.main or read.index:
        return Placement(key, DETAIL, patient=patient)
    asked = (read.specimen, read.loinc)
    if asked not in known.orders or patient not in known.ordered_for.get(asked, (patient,)):
        facts = (("specimen", read.specimen), ("test", read.test_name or read.code))
        taken_back = asked in known.cancelled
        return Placement(key, QUARANTINED, "cancelled-order" if taken_back else "no-order", facts, patient)
    return Placement(key, VERIFY, patient=patient)


def _run(read: ResultRead, key: ResultKey, known: Known, at: datetime) -> tuple[str, Earlier | None, str]:
    """Decide the run: (run, the result it repeats, a doubt)."""
    earlier = known.earlier.get(identity(key), ())
    if not earlier:
        return key.run, None, ""
    number = read.number or ""
    same = [
        one
        for one in earlier
        if (one.value, one.number, one.comparator, one.unit_raw) == (read.value, number, read.comparator, read.unit_raw)
    ]
    if key.run:
        same = [one for one in same if _ran_as(key.run, one.run)]
    if not key.specimen:  # nothing says that it is the same tube: each is kept and shown
        same = []
    elif not key.completed:
        doubted = bool(same)
        tubes = _carrying(known.specimens.get(key.specimen, ()), at)
        same = [one for one in same if (key.run or not one.acknowledged) and _of_this_tube(one, tubes)]
        if doubted and not same:
            return next_run(key.run, {one.run for one in earlier}), None, "ambiguous-repeat"
    if same:
        # One that lies in quarantine is taken only where no other is: a repeat of what was delivered must not be judged anew.
        found = next((one for one in same if one.state != QUARANTINED), same[0])
        return found.run, found, ""
    return next_run(key.run, {one.run for one in earlier}), None, ""


def _carrying(tubes: Sequence[Specimen], at: datetime) -> list[Specimen]:
    """The tubes that carry their number at a moment."""
    return [
        tube
        for tube in tubes
        if (tube.valid_from is None or tube.valid_from <= at) and (tube.valid_to is None or at <= tube.valid_to)
    ]


def _of_this_tube(one: Earlier, tubes: Sequence[Specimen]) -> bool:
    """Whether an earlier result is of a tube that carries this number now, and not of one that carried it before.

    Of a number that nobody knows only what may have been sent without an answer is taken for the same.
    """
    if one.at is None:
        return True
    if not tubes:
        return not one.acknowledged
    return any(tube.valid_from is None or tube.valid_from <= one.at for tube in tubes)


def _ran_as(sent: str, kept: str) -> bool:
    """Whether a run is kept under its own name, or under the one it got because another value had the name (`next_run`)."""
    name, plus, count = kept.rpartition("+")
    return kept == sent or (plus == "+" and name == sent and count.isdecimal())


def next_run(sent: str, taken: set[str]) -> str:
    """Return a run that nobody has: the analyzer's own if free, else the first free number after it."""
    if sent not in taken:
        return sent
    count = len(taken) + 1
    while (run := f"{sent}+{count}" if sent else str(count)) in taken:
        count += 1
    return run


def _control(read: ResultRead, kind: str, known: Known) -> tuple[str, str, tuple[tuple[str, str], ...]] | None:
    """Quality control only if the identifier is a registered material; a conflict with the analyzer's mark is for a person."""
    material, marked = read.specimen in known.materials, read.control or kind == "qc-result"
    if material and read.obx is not None and read.obx.specimen_role == "Q":
        marked = True  # Q alone makes no control (one family sends it for patients), but with a registered material it agrees
    facts = (("specimen", read.specimen),)
    if material and marked:
        return CONTROL, "", ()
    if marked:
        return QUARANTINED, "control-conflict" if read.specimen in known.specimens else "unregistered-control", facts
    if material:
        return QUARANTINED, "control-conflict", facts
    return None


def _patient(
    read: ResultRead, sender: PatientRead | None, known: Known, at: datetime
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Find the patient of a specimen at a moment: (patient, reason, facts)."""
    tubes = known.specimens.get(read.specimen, ())
    facts = (("specimen", read.specimen),)
    if not tubes:
        return "", "no-order", (*facts, ("test", read.test_name or read.code))
    valid = _carrying(tubes, read.completed or at)
    if not valid:
        return "", "specimen-window", facts
    owners = {tube.patient for tube in valid}
    if len(owners) > 1:  # a recycled barcode: two patients within one window
        return "", "identity-mismatch", (*facts, ("what", "patient"))
    owner = owners.pop()
    patient = known.patients.get(owner)
    if patient is not None and sender is not None and (what := _differs(patient, sender)):
        return "", "identity-mismatch", (*facts, ("what", what))
    return owner, "", ()


def _differs(patient: Patient, sender: PatientRead) -> str:
    """Name the trait on which the analyzer and the LIS disagree; an empty field says nothing."""
    sex = sender.sex.strip().upper()
    if sex in ("F", "M") and patient.sex in (Sex.FEMALE, Sex.MALE) and sex != patient.sex:
        return "sex"
    birth = sender.birth.strip()[:8]
    if (
        len(birth) == 8
        and birth.isdecimal()
        and patient.birth is not None
        and birth != patient.birth.strftime("%Y%m%d")
    ):
        return "birth"
    born_alike = patient.birth is not None and birth == patient.birth.strftime("%Y%m%d")
    return "name" if another_name(patient, sender.name, born_alike=born_alike) else ""


def sender_of(read: ResultRead, orders: Sequence[OrderRead], patients: Sequence[PatientRead]) -> PatientRead | None:
    """Return the P record above a result, if there is one."""
    if read.order is None or read.order >= len(orders):
        return None
    place_ = orders[read.order].patient
    return patients[place_] if place_ is not None and place_ < len(patients) else None


def ordered(orders: Sequence[Order]) -> frozenset[tuple[str, str]]:
    """Return what is asked for, as (specimen, loinc)."""
    return frozenset((order.specimen, order.loinc) for order in orders)
