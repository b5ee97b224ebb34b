"""How far may this result go without a person? Guards and rules, the most severe wins, and everything that was compared is kept.

The verdict is the maximum over what every guard and every rule asks for: no order, no rule that overrules another, and one rule more
can only make it more severe. A rule that fails holds the result.
"""

from __future__ import annotations

from labmw.model import Asked, Case, Reason, Verdict, VerdictLevel
from rules.action import Action, asked
from rules.guards import ALARMS, GUARDS, guard
from rules.message import fill
from rules.pack import Packs, Step
from rules.rule import Outcome, apply, reason
from rules.subject import Subject, subject

RELEASED = VerdictLevel.RELEASE


def worst(*levels: VerdictLevel) -> VerdictLevel:
    """Return the most severe level; with none, there is nothing against release."""
    return max(levels, default=RELEASED)


def judge(case: Case, packs: Packs) -> Verdict:
    """Judge one result by all that can apply to it; pure, and never raises: what cannot be judged is held."""
    plan = packs.plan(case.result.loinc)
    reasons: list[Reason] = []
    trace: list[tuple[str, str, str]] = []
    comments: list[str] = []
    actions: list[Asked] = []
    try:
        one = subject(case)
    except Exception as error:
        return Verdict(VerdictLevel.HOLD, (_failed("labmw/subject", error),), plan.packs)
    for name, check in GUARDS:
        try:
            found = guard(name, check, one, plan)
        except Exception as error:
            found = _failed(name, error)
        if found is None:
            trace.append((name, "passed", ""))
        else:
            reasons.append(found)
            trace.append((name, "fired", " ".join((found.code, *(f"{key}={value}" for key, value in found.facts)))))
    for step in plan.steps:
        outcome, found = _ask(step, one)
        trace.append((step.name, outcome.word, outcome.detail))
        if found is not None:
            reasons.append(found)
            said = outcome.level is VerdictLevel.COMMENT or any(act.kind == "comment" for act in step.rule.actions)
            if outcome.word == "fired":
                actions += [_asked(step, act) for act in step.rule.actions if act.kind != "comment"]
            if said and outcome.word == "fired" and outcome.finding is not None:
                comments.append(fill(step.rule.message[packs.language], outcome.finding.facts))
    level = worst(*(one.level for one in reasons))
    reasons.sort(
        key=lambda one: (-one.level, not one.rule.startswith("labmw/"), one.rule)
    )  # one order, whatever was asked first
    return Verdict(
        level, tuple(reasons), plan.packs, tuple(trace), tuple(dict.fromkeys(comments)), tuple(dict.fromkeys(actions))
    )


def _asked(step: Step, action: Action) -> Asked:
    return asked(action, step.name, step.pack, agreed=step.agreed, protocol=step.rule.protocol)


def critical(case: Case, packs: Packs) -> Reason | None:
    """Return why this value must reach a human at once, whatever the verdict; None when nothing says so.

    An alert rather too often: a value that is critical for some of the patients this may be, or that the analyzer calls critical, is one.
    """
    try:
        one = subject(case)
    except Exception as error:
        return _failed("labmw/subject", error)
    possible: Reason | None = None
    for step in packs.plan(case.result.loinc).critical:
        outcome, found = _ask(step, one)
        if found is None and outcome.word != "unknown":
            continue
        finding = outcome.finding
        if outcome.word == "fired" or finding is None:
            return found
        if finding.possible and possible is None:
            possible = Reason("critical-possible", VerdictLevel.HOLD, step.name, finding.facts)
    alarms = case.result.flags & ALARMS
    if possible is None and alarms:
        facts = (("value", one.shown), ("flags", " ".join(sorted(alarms))))
        return Reason("critical-flag", VerdictLevel.HOLD, "labmw/critical-flag", facts)
    return possible


def _ask(step: Step, one: Subject) -> tuple[Outcome, Reason | None]:
    """Ask one rule; whatever goes wrong inside it holds the result, and only this one."""
    try:
        outcome = apply(step.rule, one, step.limits, step.words)
        found = reason(step.rule, step.name, outcome) if outcome.level > RELEASED else None
    except Exception as error:
        failed = _failed(step.name, error)
        return Outcome("unknown", VerdictLevel.HOLD, f"rule-error {type(error).__name__}: {error}"), failed
    return outcome, found


def _failed(name: str, error: Exception) -> Reason:
    return Reason("rule-error", VerdictLevel.HOLD, name, (("error", f"{type(error).__name__}: {error}"),))
