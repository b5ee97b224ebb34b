"""What is never released without a person, whatever the packs say? The guards that no pack can switch off."""

from __future__ import annotations

from collections.abc import Callable

from labmw.model import Flag, Reason, VerdictLevel
from rules.pack import Plan
from rules.reserved import first_positive
from rules.subject import Facts, Subject

FINAL = frozenset({"", "F", "V", "R"})
"""Result statuses (LIS02-A2 R.9) that say the analyzer is done: final, verified, sent before. All others wait for a person."""

CORRECTED = frozenset({"C"})

IN_DOUBT = frozenset(
    {
        Flag.INSTRUMENT_ERROR, Flag.CLOT, Flag.SHORT_SAMPLE, Flag.CALIBRATION, Flag.QC, Flag.REVIEW,
    }
)  # fmt: skip
"""Flags by which the instrument itself doubts the measurement, or asks for a person."""

ALARMS = frozenset({Flag.CRITICAL_LOW, Flag.CRITICAL_HIGH})
"""Flags by which the instrument calls a value critical: they raise an alert, whatever the packs think of the value."""

Found = tuple[str, VerdictLevel, Facts] | None
Guard = Callable[[Subject, Plan], Found]


def _unterminated(one: Subject, plan: Plan) -> Found:
    return None if one.case.terminated else ("unterminated", VerdictLevel.HOLD, ())


def _quarantined(one: Subject, plan: Plan) -> Found:
    problem = one.case.result.problem
    return ("quarantined", VerdictLevel.BLOCK, (("problem", problem),)) if problem else None


def _detail(one: Subject, plan: Plan) -> Found:
    result = one.case.result
    return None if result.main and not result.index else ("detail", VerdictLevel.BLOCK, ())


def _status(one: Subject, plan: Plan) -> Found:
    status = one.case.result.status
    if status in FINAL:
        return None
    return ("corrected" if status in CORRECTED else "preliminary", VerdictLevel.HOLD, (("status", status),))


def _flags(one: Subject, plan: Plan) -> Found:
    found = one.case.result.flags & IN_DOUBT
    if not found:
        return None
    facts = (("flags", " ".join(sorted(found))), ("flags_raw", one.case.result.flags_raw))
    return ("instrument-flag", VerdictLevel.HOLD, facts)


def _unknown_flag(one: Subject, plan: Plan) -> Found:
    result = one.case.result
    return (
        ("unknown-flag", VerdictLevel.HOLD, (("flags_raw", result.flags_raw),))
        if Flag.UNKNOWN in result.flags
        else None
    )


def _rerun(one: Subject, plan: Plan) -> Found:
    """A repeated measurement is released when a person, or a rule with check = "rerun", has compared the two."""
    if plan.reconciles:
        return None
    result = one.case.result
    others = [
        str(other.quantity or other.value)
        for other in one.case.siblings
        if other.loinc == result.loinc and other.main and not other.index and other.key != result.key
    ]
    if not others and not one.case.earlier_runs and Flag.RERUN not in result.flags:
        return None
    runs = str(max(one.case.earlier_runs, len(others)))
    return ("rerun", VerdictLevel.HOLD, (("value", one.shown), ("runs", runs), ("others", ", ".join(others))))


def _patient(one: Subject, plan: Plan) -> Found:
    return ("no-patient", VerdictLevel.HOLD, ()) if one.case.patient is None else None


def _stopped(one: Subject, plan: Plan) -> Found:
    if not plan.stopped:
        return None
    first = plan.stopped[0]
    return (first.code, VerdictLevel.HOLD, first.facts)


def _judged(one: Subject, plan: Plan) -> Found:
    """A test is released only by a pack that has a criterion for it: limits for a number, a list of words for a word."""
    result = one.case.result
    test = (("test", result.test_name or result.key.code), ("loinc", result.loinc))
    if not plan.packs or (result.quantity is not None and not plan.numbers):
        return ("no-rule", VerdictLevel.HOLD, test)
    if one.value is not None or (result.quantity is None and result.value in plan.words):
        return None
    code = "word-not-allowed" if plan.words and result.value.strip() and result.quantity is None else "missing-value"
    return (code, VerdictLevel.HOLD, (("value", one.shown),))


def _reserved(one: Subject, plan: Plan) -> Found:
    """Some tests are for a biologist, whatever the limits say; of infections a first positive."""
    if not plan.reserved or (plan.reserved == "infection" and not first_positive(one.case)):
        return None
    facts = (("value", one.shown), ("test", one.case.result.test_name or one.case.result.key.code))
    return ("first-positive" if plan.reserved == "infection" else f"reserved-{plan.reserved}", VerdictLevel.HOLD, facts)


GUARDS: tuple[tuple[str, Guard], ...] = (
    ("labmw/unterminated", _unterminated),
    ("labmw/quarantined", _quarantined),
    ("labmw/detail", _detail),
    ("labmw/status", _status),
    ("labmw/instrument-flag", _flags),
    ("labmw/unknown-flag", _unknown_flag),
    ("labmw/rerun", _rerun),
    ("labmw/patient", _patient),
    ("labmw/pack", _stopped),
    ("labmw/judged", _judged),
    ("labmw/reserved", _reserved),
)
"""Each guard under the name that traces show."""


def guard(name: str, check: Guard, one: Subject, plan: Plan) -> Reason | None:
    """Ask one guard."""
    found = check(one, plan)
    return None if found is None else Reason(found[0], found[1], name, found[2])
