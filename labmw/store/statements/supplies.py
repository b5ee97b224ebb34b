"""What have people recorded of calibrations, reagents on board and lots of reagents?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, func, or_, select, update

from labmw.store.schema import calibration, contribution, reagent, reagent_lot, result
from labmw.store.statements.words import given, given_number, given_texts, is_one_of
from labmw.store.transaction import Step

_tests = given_texts("tests")
_CALIBRATIONS: Final = (
    select(calibration)
    .where(calibration.c.site == given("site"), calibration.c.ended_at.is_(None))
    .order_by(calibration.c.at, calibration.c.id)
)
_nearest: Final = (
    select(
        calibration.c.id,
        func.row_number()
        .over(
            partition_by=(calibration.c.analyzer, calibration.c.module, calibration.c.test, calibration.c.reagent_lot),
            order_by=(calibration.c.at.desc(), calibration.c.id.desc()),
        )
        .label("place"),
    )
    .where(
        calibration.c.site == given("site"),
        calibration.c.ended_at.is_(None),
        calibration.c.test.in_(_tests),
        calibration.c.at <= given("until"),
    )
    .subquery()
)
_CALIBRATIONS_OF: Final = _CALIBRATIONS.where(
    calibration.c.id.in_(select(_nearest.c.id).where(_nearest.c.place <= given_number("most")))
)
_REAGENTS: Final = select(reagent).where(reagent.c.site == given("site")).order_by(reagent.c.opened_at, reagent.c.id)
_REAGENTS_OF: Final = _REAGENTS.where(
    reagent.c.test.in_(_tests), or_(reagent.c.removed_at.is_(None), reagent.c.removed_at > given("since"))
)
_ON_BOARD: Final = _REAGENTS.where(reagent.c.removed_at.is_(None))
_LOTS: Final = (
    select(reagent_lot)
    .where(reagent_lot.c.site == given("site"), reagent_lot.c.ended_at.is_(None))
    .order_by(reagent_lot.c.id)
)
_LOTS_OF: Final = _LOTS.where(reagent_lot.c.test.in_(_tests))
_END_CALIBRATION: Final = (
    update(calibration)
    .where(
        calibration.c.site == given("at_site"),
        calibration.c.id == given_number("number"),
        calibration.c.ended_at.is_(None),
    )
    .values(ended_at=given("at_moment"), ended_by=given("ended"))
    .returning(calibration)
)
_REMOVE: Final = (
    update(reagent)
    .where(reagent.c.site == given("at_site"), reagent.c.id == given_number("number"), reagent.c.removed_at.is_(None))
    .values(removed_at=given("at_moment"))
    .returning(reagent)
)
_of_test = or_(
    given("test") == "*",
    result.c.loinc == given("test"),
    and_(result.c.loinc == "", result.c.code == given("test")),
)
_WITH_LOT: Final = (
    select(result.c.id, result.c.message, result.c.state)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "released", "delivered", "held"),
        result.c.main == 1,
        result.c.id.in_(
            select(contribution.c.result).where(
                contribution.c.site == given("site"),
                contribution.c.lot == given("lot"),
                is_one_of(contribution.c.kind, "SR", "MR"),
            )
        ),
        or_(given("analyzer") == "", result.c.analyzer == given("analyzer"), result.c.link == given("analyzer")),
        _of_test,
    )
    .order_by(result.c.id)
    .limit(given_number("most"))
)
_BETWEEN: Final = (
    select(result.c.id, result.c.message, result.c.state)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "released", "delivered", "held"),
        result.c.main == 1,
        or_(given("analyzer") == "", result.c.analyzer == given("analyzer"), result.c.link == given("analyzer")),
        _of_test,
        result.c.received_at >= given("since"),  # nothing is received before it was measured
        or_(result.c.completed_at.is_(None), result.c.completed_at <= given("before")),
    )
    .order_by(result.c.id)
    .limit(given_number("most"))
)


def calibrations(site: str) -> Step:
    """Calibrations that stand, oldest first."""
    return Step(_CALIBRATIONS, {"site": site})


def calibrations_before(site: str, tests: Sequence[str], until: str, *, most: int) -> Step:
    """The calibrations of these tests (and of "*") until a moment, oldest first: so many at most of each analyzer, module, test and lot."""
    return Step(_CALIBRATIONS_OF, {"site": site, "tests": [*tests, "*"], "until": until, "most": most})


def reagents(site: str, tests: Sequence[str], since: str) -> Step:
    """Reagents of these tests that were on board at some time since a moment, in the order in which they were opened."""
    return Step(_REAGENTS_OF, {"site": site, "tests": [*tests, "*"], "since": since})


def reagents_on_board(site: str) -> Step:
    """Every reagent that nobody has taken off."""
    return Step(_ON_BOARD, {"site": site})


def lots(site: str, tests: Sequence[str] | None = None) -> Step:
    """What was decided of lots of reagents, oldest first: of all tests, or of these."""
    return Step(_LOTS, {"site": site}) if tests is None else Step(_LOTS_OF, {"site": site, "tests": [*tests, "*"]})


def end_calibration(site: str, number: int, *, at: str, by: str) -> Step:
    """A calibration that was recorded in error counts no more; answers it, or no row when it had ended."""
    return Step(_END_CALIBRATION, {"at_site": site, "number": number, "at_moment": at, "ended": by})


def remove_reagent(site: str, number: int, *, at: str) -> Step:
    """A reagent is on board no more from a moment on; answers it, or no row when it was off already."""
    return Step(_REMOVE, {"at_site": site, "number": number, "at_moment": at})


def measured_with(site: str, analyzer: str, test: str, lot: str, *, limit: int) -> Step:
    """Results (number, message, state) that their analyzer says were measured with a lot of reagent; "" for any analyzer, "*" for any test."""
    return Step(_WITH_LOT, {"site": site, "analyzer": analyzer, "test": test, "lot": lot, "most": limit})


def measured_between(site: str, analyzer: str, test: str, *, since: str, before: str, limit: int) -> Step:
    """Results (number, message, state) of a test that may have been measured between two moments."""
    return Step(
        _BETWEEN, {"site": site, "analyzer": analyzer, "test": test, "since": since, "before": before, "most": limit}
    )
