"""What is asked of the store to look back: which results something has touched, what of them has left, and what became of each line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from labmw.store.schema import contribution, lookback, lookback_line, outbox, outbox_result, redelivery, result, verdict
from labmw.store.statements.words import given, given_number, given_numbers, is_one_of
from labmw.store.transaction import Step

_COLUMNS = (
    result.c.id, result.c.patient, result.c.specimen, result.c.loinc, result.c.code, result.c.test_name, result.c.value, result.c.unit_raw,
    result.c.state, result.c.link, result.c.analyzer, result.c.serial, result.c.driver, result.c.mapping_version, result.c.received_at,
)  # fmt: skip


def _touched(condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .where(
            result.c.site == given("site"),
            result.c.received_at >= given("since"),
            result.c.received_at < given("before"),
            condition,
        )
        .order_by(result.c.id)
        .limit(given_number("most"))
    )


def _with(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Measured with something that the analyzer has named."""
    return result.c.id.in_(select(contribution.c.result).where(contribution.c.site == given("site"), *conditions))


_is_it = contribution.c.lot == given("subject")
_TOUCHED: Final = {
    "lot": _touched(_with(_is_it, contribution.c.lot != "")),
    "calibrator": _touched(
        _with(contribution.c.kind == "RC", or_(contribution.c.name == given("subject"), _is_it))  # table 0384
    ),
    "module": _touched(
        or_(
            result.c.link == given("subject"),
            result.c.analyzer == given("subject"),
            result.c.serial == given("subject"),
            _with(contribution.c.kind == "device", contribution.c.name == given("subject")),
        )
    ),
    "mapping": _touched(
        or_(
            result.c.mapping_version == given("subject"),
            result.c.driver == given("subject"),
            result.c.driver + "/" + result.c.code == given("subject"),
        )
    ),
    "rule": _touched(
        result.c.id.in_(
            select(verdict.c.result).where(
                verdict.c.site == given("site"),
                or_(verdict.c.trace.like(given("rule"), escape="\\"), verdict.c.packs.like(given("pack"), escape="\\")),
            )
        )
    ),
}
KINDS: Final = tuple(_TOUCHED)
_numbers = given_numbers("numbers")
_told = (outbox.c.destination, outbox.c.state, outbox.c.delivered_at, outbox.c.control_id, outbox.c.id.label("outbox"))
_LEFT: Final = (
    select(outbox_result.c.result, *_told)
    .join(outbox, outbox.c.id == outbox_result.c.outbox)
    .where(outbox_result.c.result.in_(_numbers))
    .union_all(
        select(redelivery.c.result, *_told)
        .join(outbox, outbox.c.id == redelivery.c.outbox)
        .where(redelivery.c.result.in_(_numbers))
    )
)
_open_lines = select(func.count()).where(
    lookback_line.c.lookback == lookback.c.id, lookback_line.c.state == "open"
)  # fmt: skip
_lines = select(func.count()).where(lookback_line.c.lookback == lookback.c.id)
_ALL: Final = (
    select(lookback, _lines.scalar_subquery().label("lines"), _open_lines.scalar_subquery().label("left"))
    .where(lookback.c.site == given("site"))
    .order_by(lookback.c.id)
)
_OPEN: Final = _ALL.where(is_one_of(lookback.c.state, "open"))
_ONE: Final = select(lookback).where(lookback.c.site == given("site"), lookback.c.id == given_number("number"))
_LINES: Final = (
    select(lookback_line, result.c.state.label("now"))
    .join(result, result.c.id == lookback_line.c.result)
    .where(lookback_line.c.lookback == given_number("number"))
    .order_by(lookback_line.c.patient, lookback_line.c.id)
)
_CLOSE_LINE: Final = (
    update(lookback_line)
    .where(
        lookback_line.c.site == given("of_site"),
        lookback_line.c.lookback == given_number("of_lookback"),
        lookback_line.c.id == given_number("line"),
        lookback_line.c.state == "open",
    )
    .values(state="closed", closed_at=given("at"), closed_by=given("by_whom"), note=given("why_closed"))
    .returning(lookback_line.c.id)
)
_CLOSE: Final = (
    update(lookback)
    .where(
        lookback.c.id == given_number("of_lookback"),
        lookback.c.state == "open",
        ~select(lookback_line.c.id)
        .where(lookback_line.c.lookback == given_number("of_lookback"), lookback_line.c.state == "open")
        .exists(),
    )
    .values(state="closed", closed_at=given("at"))
    .returning(lookback.c.id)
)


def touched(site: str, kind: str, subject: str, since: str, before: str, *, most: int) -> Step:
    """The results that something has touched, in the order in which they came, at most so many."""
    values = {"site": site, "since": since, "before": before, "most": most}
    if kind != "rule":
        return Step(_TOUCHED[kind], {**values, "subject": subject})
    plain = subject.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return Step(_TOUCHED[kind], {**values, "rule": f'%["{plain}",%', "pack": f'%"{plain}@%'})


def left_of(numbers: Sequence[int]) -> Step:
    """The messages that carry these results: to whom, in which state, when taken."""
    return Step(_LEFT, {"numbers": list(numbers)})


def lookbacks(site: str, *, every: bool) -> Step:
    """The searches that are open, or every one, with how many `lines` they have and how many are `left`."""
    return Step(_ALL if every else _OPEN, {"site": site})


def lookback_numbered(site: str, number: int) -> Step:
    """One search."""
    return Step(_ONE, {"site": site, "number": number})


def lines_of(number: int) -> Step:
    """What a search has found, by patient, with the state of each result `now`."""
    return Step(_LINES, {"number": number})


def close_line(site: str, number: int, line: int, *, at: str, by: str, why: str) -> Step:
    """A person has dealt with a line; answers no row when it is not open, or of another search."""
    values = {"of_site": site, "of_lookback": number, "line": line, "at": at, "by_whom": by, "why_closed": why}
    return Step(_CLOSE_LINE, values)


def close_if_done(number: int, *, at: str) -> Step:
    """Close a search of which no line is open."""
    return Step(_CLOSE, {"of_lookback": number, "at": at})
