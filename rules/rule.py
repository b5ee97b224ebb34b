"""What is one rule of a pack, and what does it say of one subject?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labmw.model import Reason, VerdictLevel
from rules.action import ADDING, Action, Protocols, read_actions
from rules.analyte import Analytes
from rules.checks import CHECKS, Check
from rules.checks.finding import About, Finding, Limits
from rules.checks.when import read_when
from rules.message import Message, fill, read_message
from rules.strict import Table
from rules.subject import Scope, Subject
from rules.vocabulary import LANGUAGES, POLICIES, SCOPES, VERDICTS

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Where a rule does not hold, and why: explicit, and shown in every explanation."""

    scope: Scope
    reason: Message


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with its verdict, its policy for the unknown, its reach and its sentences."""

    id: str
    check: Check
    verdict: VerdictLevel
    if_missing: VerdictLevel
    analytes: tuple[str, ...]  # aliases of the pack
    scope: Scope
    message: Message
    source: str
    exemptions: tuple[Exemption, ...] = ()
    reach: str = "result"  # result, panel, sample or visit: what the verdict holds beside this result
    actions: tuple[Action, ...] = ()
    protocol: str = ""  # under which a test may be added
    panel: tuple[str, ...] = ()  # LOINC codes of the tests the rule is about


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule said of one subject: `word` is fired, passed, unknown or exempt."""

    word: str
    level: VerdictLevel
    detail: str
    finding: Finding | None = None


def apply(rule: Rule, one: Subject, limits: Limits, words: frozenset[str]) -> Outcome:
    """Judge one subject by one rule; `words` are what its analyte may say instead of a number."""
    if not rule.scope.holds(one, unknown=True):
        where = f"driver {one.case.result.driver}" if rule.scope.drivers else f"ward {one.ward}"
        return Outcome("exempt", VerdictLevel.RELEASE, where)
    for exemption in rule.exemptions:
        if exemption.scope.holds(one, unknown=False):
            return Outcome(
                "exempt", VerdictLevel.RELEASE, f"ward {one.ward}: {exemption.reason['en']} / {exemption.reason['fr']}"
            )
    if rule.check.numeric and one.case.result.quantity is None and one.case.result.value in words:
        return Outcome("exempt", VerdictLevel.RELEASE, f"word {one.case.result.value!r}")
    finding = rule.check.judge(one, limits)
    if finding.truth is None:
        level = rule.if_missing if finding.level is None else finding.level
        return Outcome("unknown", level, f"{finding.code}: {finding.detail}", finding)
    if finding.truth:
        return Outcome("fired", rule.verdict, finding.detail, finding)
    return Outcome("passed", VerdictLevel.RELEASE, finding.detail, finding)


def reason(rule: Rule, name: str, outcome: Outcome) -> Reason:
    """Return the reason of an outcome that asks for something; a fired rule brings its own sentences along, frozen with the verdict."""
    assert outcome.finding is not None
    facts = outcome.finding.facts
    if outcome.word == "fired":
        facts += tuple((f"message_{language}", fill(rule.message[language], facts)) for language in LANGUAGES)
    # What could not be evaluated speaks of this result alone: it is no finding about the tube.
    reach = rule.reach if outcome.word == "fired" else "result"
    return Reason(outcome.finding.code, outcome.level, name, facts, reach, rule.panel if reach == "panel" else ())


def read_rule(table: Table, pack: Analytes, protocols: Protocols) -> Rule:
    """Read one [[rule]], all but its examples: a condition in `when`, or a check with its own keys."""
    name = identifier(table, "id")
    aliases = tuple(pack)
    analytes = table.texts("analytes", "list aliases of [analytes]") or aliases
    for alias in analytes:
        if alias not in aliases:
            raise table.refuse("analytes", f"{alias!r} is no analyte of this pack", f"known are {', '.join(aliases)}")
    about = About(analytes, pack)
    check = read_when(table, about) if table.has("when") else CHECKS[table.word("check", CHECKS)](table, about)
    verdict = VERDICTS[table.word("verdict", VERDICTS)]
    if check.name in ("limit", "absurd") and verdict is VerdictLevel.COMMENT:
        raise table.refuse("verdict", "would let the result go all the same", "write review, hold or block")
    if_missing = POLICIES[table.word("if_missing", POLICIES, "hold")]
    drivers = frozenset(table.texts("drivers", "list names of drivers"))
    if drivers and check.name == "limit":
        raise table.refuse(
            "drivers", "would release other analyzers' results without limits", "let limits hold for all drivers"
        )
    wards = frozenset(table.texts("wards", "list the wards where it holds"))
    if wards and check.name == "limit":
        raise table.refuse(
            "wards",
            "would release other wards' results without limits",
            "give the wards rows of their own in the limit table",
        )
    message = read_message(table, "message", check.facts)
    source = (
        table.text("source", 'cite where the number comes from, or write "starting point"') if check.sourced else ""
    )
    exemptions = tuple(_exemption(one) for one in table.tables("exempt"))
    reach = table.word("scope", SCOPES, "result")
    if reach != "result" and verdict < VerdictLevel.REVIEW:
        raise table.refuse(
            "scope", "holds nothing with this verdict", "write verdict review, hold or block, or leave scope out"
        )
    actions, protocol = read_actions(table, pack), table.text("protocol", default="")
    if protocol and protocol not in protocols:
        raise table.refuse("protocol", f"{protocol!r} is not there", "write it as [protocols.NAME]")
    if protocol and not any(one.kind in ADDING for one in actions):
        raise table.refuse("protocol", "adds no test", 'write action = ["reflex:..."] or leave protocol out')
    panel = tuple(sorted({loinc for alias in analytes for loinc in pack[alias].loincs}))
    return Rule(
        name, check, verdict, if_missing, analytes, Scope(wards, drivers), message, source, exemptions, reach, actions, protocol, panel
    )  # fmt: skip


def _exemption(table: Table) -> Exemption:
    remedy = "list the wards that are exempt"
    wards = frozenset(table.texts("wards", remedy))
    if not wards:
        raise table.refuse("wards", "is missing", remedy)
    found = Exemption(Scope(wards=wards), read_message(table, "reason", frozenset()))
    table.done()
    return found


def identifier(table: Table, key: str) -> str:
    """Read a name made of letters, digits, '.', '_' and '-'."""
    remedy = "use 1 to 64 letters, digits, '.', '_' or '-'"
    text = table.text(key, remedy)
    if not _IDENTIFIER.fullmatch(text):
        raise table.refuse(key, f"{text!r} is not an identifier", remedy)
    return text
