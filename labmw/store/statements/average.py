"""How do the averages of patients stand, and by which plan are they made?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select

from labmw.store.schema import average_plan, average_state
from labmw.store.statements.words import given, given_number, given_texts
from labmw.store.transaction import Step

_PLANS: Final = (
    select(average_plan)
    .where(average_plan.c.site == given("site"), average_plan.c.ended_at.is_(None))
    .order_by(average_plan.c.test, average_plan.c.analyzer, average_plan.c.id)
)
_STATES: Final = (
    select(average_state, average_plan.c.low, average_plan.c.high, average_plan.c.algorithm, average_plan.c.unit)
    .join(average_plan, average_plan.c.id == average_state.c.plan)
    .where(average_state.c.site == given("site"))
    .order_by(average_state.c.test, average_state.c.analyzer)
)
_OF: Final = _STATES.where(average_state.c.test.in_(given_texts("tests")))
_CLEAR: Final = (
    delete(average_state)
    .where(
        average_state.c.site == given("site"),
        average_state.c.analyzer == given("of_analyzer"),
        average_state.c.test == given("of_test"),
    )
    .returning(average_state.c.id, average_state.c.state, average_state.c.value)
)
_CLEAR_PLAN: Final = delete(average_state).where(
    average_state.c.site == given("site"), average_state.c.plan == given_number("of_plan")
)


def average_plans(site: str) -> Step:
    """Every plan in force."""
    return Step(_PLANS, {"site": site})


def averages(site: str) -> Step:
    """Every average with the limits of its plan."""
    return Step(_STATES, {"site": site})


def averages_of(site: str, tests: Sequence[str]) -> Step:
    """The averages of these tests."""
    return Step(_OF, {"site": site, "tests": list(tests)})


def clear_average(site: str, analyzer: str, test: str) -> Step:
    """Begin an average anew; answers what it was, or no row when there was none."""
    return Step(_CLEAR, {"site": site, "of_analyzer": analyzer, "of_test": test})


def forget_averages(site: str, plan: int) -> Step:
    """What was made by a plan that has ended is of no use to the next."""
    return Step(_CLEAR_PLAN, {"site": site, "of_plan": plan})
