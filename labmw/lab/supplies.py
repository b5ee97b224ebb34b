"""With which calibration and which reagent was a result measured, as far as anybody has said? What nobody has said is unknown, never in order.

Two speak of it: the analyzer, beside the result (INV of IHE LAW: lot, expiry, first use, status), and people, who record calibrations done,
reagents put on board and lots accepted. Of a reagent the analyzer's word goes first, and the earlier date counts. A calibration that failed, a
lot that was refused, and a material that the analyzer itself calls in error hold, whatever the packs ask.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from labmw.clock import read_stamp
from labmw.model import Module, Reason, Verdict, VerdictLevel
from labmw.store.transaction import Row

RULE: Final = "labmw/supplies"  # as reasons and traces name it
REAGENTS: Final = ("SR", "MR")  # table 0384: single test reagent, multiple test reagent
CALIBRATOR: Final = "RC"
FAILED, PASSED = "failed", "passed"
ERRORS: Final = frozenset({"CE", "EE", "NE", "OE", "QE"})
"""Table 0383: calibration, expired, not available, other, quality control; W instead of E at the end is a warning, which stops nothing."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What people have recorded that can bear on the results of one message."""

    calibrations: Sequence[Row] = ()
    reagents: Sequence[Row] = ()
    lots: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Supply:
    """What is known of calibration and reagents behind one result, why it may not leave, and the evidence in one line."""

    calibrated: datetime | None = None
    lots: tuple[str, ...] = ()
    expires: datetime | None = None
    opened: datetime | None = None
    accepted: bool | None = None
    partly: bool = False  # of one of several reagents something is not known
    objections: tuple[Reason, ...] = ()
    evidence: str = ""

    def within(self, module: Module | None, name: str) -> Module:
        """The module as rules see it, with what is known here."""
        return replace(
            module or Module(name),
            calibrated=self.calibrated,
            reagent_lot=" ".join(self.lots),
            reagent_expires=self.expires,
            reagent_opened=self.opened,
            reagent_accepted=self.accepted,
            reagent_partly=self.partly,
        )

    def over(self, verdict: Verdict) -> Verdict:
        """The verdict with what is known here, and a hold where something speaks against the result."""
        trace = (*verdict.trace, (RULE, "fired" if self.objections else "passed", self.evidence))
        if not self.objections:
            return replace(verdict, trace=trace)
        reasons = sorted((*self.objections, *verdict.reasons), key=lambda one: -one.level)
        level = max(verdict.level, VerdictLevel.HOLD)
        return replace(verdict, level=VerdictLevel(level), reasons=tuple(reasons), trace=trace)


def supply_of(row: Row, test: str, module: str, behind: Sequence[Row], known: Recorded, zone: tzinfo) -> Supply:
    """Put together what is said of one result; `behind` are the materials that its analyzer names."""
    own = [one for one in behind if one.result == row.id]
    measured = read_stamp(row.completed_at or row.received_at)
    named = [one for one in own if one.kind in REAGENTS]
    on_board = [
        one
        for one in known.reagents
        if _here(one, row, test, module) and one.module in ("", module) and _on_board(one, measured)
    ]
    lots = tuple(dict.fromkeys(one.lot for one in (named or on_board)))
    found = Supply(lots=tuple(lot for lot in lots if lot))
    objections = [_in_error(one, row, test) for one in own if ERRORS & _statuses(one)]
    if lots:
        refused, accepted = _acceptance(row, test, lots, known.lots)
        said = {lot: [one for one in named if one.lot == lot] for lot in lots}
        noted = {lot: [one for one in on_board if lot and one.lot == lot] for lot in lots}
        expires = [
            _earliest([read_expiry(one.expiry, zone) for one in said[lot]], [_moment(one.expires_at) for one in noted[lot]])
            for lot in lots
        ]  # fmt: skip
        opened = [
            _earliest([_opening(one.opened, zone) for one in said[lot]], [_moment(one.opened_at) for one in noted[lot]])
            for lot in lots
        ]
        found = replace(
            found,
            expires=min((at for at, _ in expires if at is not None), default=None),
            opened=min((at for at, _ in opened if at is not None), default=None),
            accepted=accepted,
            partly=not all(complete for _, complete in (*expires, *opened)),
        )
        objections += [_objection("reagent-refused", row, test, lot=lot) for lot in refused]
    calibration = _calibration(row, test, module, own, found.lots, measured, known.calibrations)
    if calibration is not None and calibration.outcome == FAILED:
        objections.append(_objection("calibration-failed", row, test, at=_shown(calibration.at), by=calibration.by))
    elif calibration is not None:
        found = replace(found, calibrated=read_stamp(calibration.at))
    return replace(found, objections=tuple(objections), evidence=_evidence(found, calibration))


def _here(one: Row, row: Row, test: str, module: str) -> bool:
    """Whether a person's record is about this test on this analyzer; "*" is a whole analyzer's."""
    return one.test in ("*", test) and one.analyzer in ("", row.analyzer, row.link)


def _on_board(one: Row, measured: datetime) -> bool:
    return read_stamp(one.opened_at) <= measured and (one.removed_at is None or measured < read_stamp(one.removed_at))


def _calibration(
    row: Row,
    test: str,
    module: str,
    own: Sequence[Row],
    lots: Sequence[str],
    measured: datetime,
    recorded: Sequence[Row],
) -> Row | None:
    """The calibration that was in force when it was measured; None where that cannot be said.

    One that failed counts also where it is not known which module or lot measured. One that passed counts only where it is.
    """
    before = [
        one
        for one in recorded
        if _here(one, row, test, module)
        and read_stamp(one.at) <= measured
        and not (one.reagent_lot and lots and one.reagent_lot not in lots)
    ]
    modules = {one.module for one in before} if not module else {module}
    standing: Row | None = None
    for name in sorted(modules):
        last = max(
            (one for one in before if one.module in ("", name)),
            key=lambda one: (one.at, one.id),
            default=None,
        )
        if last is not None and last.outcome == FAILED:
            return last
        if name == module:
            standing = last
    if standing is None or (not module and standing.module):
        return None
    calibrators = {one.lot for one in own if one.kind == CALIBRATOR and one.lot}
    if (standing.reagent_lot and not lots) or (standing.lot and calibrators and standing.lot not in calibrators):
        return None  # another lot may have been measured with; another calibrator was
    return standing


def _acceptance(row: Row, test: str, lots: Iterable[str], recorded: Sequence[Row]) -> tuple[list[str], bool | None]:
    """The lots that were refused, and whether all were accepted; None where nobody has decided of one."""
    decided = []
    refused = []
    for lot in lots:
        own = [
            one
            for one in recorded
            if lot and one.lot == lot and one.test in ("*", test) and one.analyzer in ("", row.analyzer, row.link)
        ]
        # What is said of this analyzer goes before what is said of all; then the newest counts.
        last = max(own, key=lambda one: (one.analyzer != "", one.test != "*", one.id), default=None)
        decided.append(None if last is None else bool(last.accepted))
        if last is not None and not last.accepted:
            refused.append(lot)
    if refused:
        return refused, False
    return [], (True if all(decided) else None)


def _earliest(told: Sequence[datetime | None], recorded: Sequence[datetime | None]) -> tuple[datetime | None, bool]:
    """The earliest date that is said of a lot, and whether one of the two who speak of it has said them all."""
    known = [one for one in (*told, *recorded) if one is not None]
    complete = any(some and None not in some for some in (told, recorded))
    return min(known, default=None), complete


def _opening(text: str, zone: tzinfo) -> datetime | None:
    span = read_span(text, zone)
    return None if span is None else span[0]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else read_stamp(text)


_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})(?:(\d{2})(?:\.\d{1,4})?)?)?)?)?([+-]\d{4})?", re.ASCII
)


def read_expiry(text: str, zone: tzinfo) -> datetime | None:
    """When a material expires: a day, or a month, is used up to its end (ISO 15223-1, 5.1.4). None where that cannot be read."""
    span = read_span(text, zone)
    return None if span is None else span[1]


def read_span(text: str, zone: tzinfo) -> tuple[datetime, datetime] | None:
    """The first and the last moment that an HL7 date-time of any precision can mean (2.5.1, 2.A.77)."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        last_month = int(month or 12)
        last_day = int(day or calendar.monthrange(int(year), last_month)[1])
        first = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
        last = first if hour else datetime(int(year), last_month, last_day) + timedelta(days=1) - timedelta(seconds=1)
        where = datetime.strptime(offset, "%z").tzinfo if offset else zone
        return first.replace(tzinfo=where).astimezone(UTC), last.replace(tzinfo=where).astimezone(UTC)
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return None


def _statuses(one: Row) -> set[str]:
    """Table 0383, as sent: components and a coding system may follow the code."""
    return {word.partition("^")[0] for word in one.status.split()}


def _in_error(one: Row, row: Row, test: str) -> Reason:
    codes = " ".join(sorted(ERRORS & _statuses(one)))
    return _objection("material-error", row, test, material=one.name or one.kind, lot=one.lot or "–", status=codes)


def _objection(code: str, row: Row, test: str, **facts: str) -> Reason:
    return Reason(code, VerdictLevel.HOLD, RULE, (("test", row.test_name or test), *facts.items()))


def _shown(at: str) -> str:
    return at[:16].replace("T", " ") + " UTC"


def _evidence(found: Supply, calibration: Row | None) -> str:
    said = "calibration not known"
    if calibration is not None:
        said = f"calibration {calibration.outcome} at {_shown(calibration.at)}"
    lots = ", ".join(found.lots) or "not known"
    words: Mapping[bool | None, str] = {True: "accepted", False: "refused", None: "not decided"}
    return f"{said}; reagent lot {lots}" + (f", {words[found.accepted]}" if found.lots else "")
