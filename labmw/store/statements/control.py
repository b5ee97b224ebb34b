"""What is kept of quality control, and how does it stand? Materials, targets, plans, judged points, states, derogations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Table, and_, exists, func, literal, or_, select, union, update

from labmw.store.schema import (
    average_plan,
    calibration,
    contribution,
    material,
    message,
    qc_derogation,
    qc_plan,
    qc_point,
    qc_restart,
    qc_state,
    qc_target,
    reagent,
    result,
    roster,
    verdict,
    work,
)
from labmw.store.statements.words import given, given_number, given_texts, is_one_of
from labmw.store.transaction import Step

_tests = given_texts("tests")
_CONTROLS: Final = (
    select(result)
    .where(
        result.c.message == given_number("of_message"),
        is_one_of(result.c.state, "control"),
        result.c.main == 1,
        result.c.serum_index == "",
        ~exists().where(qc_point.c.site == result.c.site, qc_point.c.result == result.c.id),
    )
    .order_by(result.c.completed_at, result.c.id)
)
_BEHIND: Final = select(contribution).where(contribution.c.result.in_(select(result.c.id).where(result.c.message == given_number("of_message"))))  # fmt: skip
_LOTS: Final = (
    select(material)
    .where(material.c.site == given("site"), material.c.identifier.in_(given_texts("identifiers")))
    .order_by(material.c.valid_from, material.c.id)
)
_MATERIALS: Final = select(material).where(material.c.site == given("site")).order_by(material.c.identifier, material.c.valid_from, material.c.id)  # fmt: skip
_POINTS: Final = (
    select(qc_point)
    .where(
        qc_point.c.site == given("site"),
        qc_point.c.test == given("test"),
        or_(qc_point.c.analyzer == given("analyzer"), qc_point.c.link == given("analyzer")),
        qc_point.c.at >= given("since"),
    )
    .order_by(qc_point.c.at.desc(), qc_point.c.id.desc())
    .limit(given_number("most"))
)
_RECENT: Final = (
    select(qc_point)
    .where(qc_point.c.site == given("site"), qc_point.c.test.in_(_tests), qc_point.c.at >= given("since"))
    .order_by(qc_point.c.at, qc_point.c.id)
)
_POINT: Final = select(qc_point).where(qc_point.c.site == given("site"), qc_point.c.id == given_number("number"))
_EXCLUDE: Final = (
    update(qc_point)
    .where(
        qc_point.c.site == given("at_site"),
        qc_point.c.id == given_number("number"),
        qc_point.c.excluded_at.is_(None),
    )
    .values(excluded_at=given("at_moment"), excluded_by=given("by"))
    .returning(qc_point)
)
_RESTARTS: Final = select(qc_restart).where(qc_restart.c.site == given("site"), qc_restart.c.test == given("test"))
_KNOWN: Final = union(
    select(literal("control").label("what"), qc_state.c.test.label("name")).where(qc_state.c.site == given("site"), qc_state.c.test.in_(_tests)),
    select(literal("control"), qc_plan.c.test).where(qc_plan.c.site == given("site"), qc_plan.c.ended_at.is_(None), qc_plan.c.test.in_(_tests)),
    select(literal("average"), average_plan.c.test).where(average_plan.c.site == given("site"), average_plan.c.ended_at.is_(None), average_plan.c.test.in_(_tests)),
    select(literal("roster"), literal("")).where(exists().where(roster.c.site == given("site"), roster.c.ended_at.is_(None))),
    select(literal("supply"), calibration.c.test).where(calibration.c.site == given("site"), calibration.c.ended_at.is_(None), calibration.c.test.in_(given_texts("tests_or_all"))),
    select(literal("supply"), reagent.c.test).where(reagent.c.site == given("site"), reagent.c.removed_at.is_(None), reagent.c.test.in_(given_texts("tests_or_all"))),
    select(literal("material"), literal("")).where(
        exists().where(contribution.c.result == result.c.id, result.c.message == given_number("of_message"), is_one_of(contribution.c.kind, "SR", "MR", "RC"))
    ),
    select(literal("waits"), message.c.link).join(message, message.c.id == work.c.message).where(
        work.c.site == given("site"), work.c.kind == "control", work.c.message < given_number("of_message")
    ),
)  # fmt: skip
_REJUDGE: Final = (
    update(qc_point)
    .where(qc_point.c.id == given_number("number"))
    .values(state=given("becomes"), broken=given("rules"))
)
_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_BRACKETED: Final = (
    select(result.c.id, result.c.message, result.c.completed_at, result.c.received_at, verdict.c.reasons, verdict.c.level)
    .join(verdict, verdict.c.id == _latest)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "held"),
        result.c.analyzer == given("analyzer"),
        or_(result.c.loinc == given("test"), and_(result.c.loinc == "", result.c.code == given("test"))),
        verdict.c.reasons.contains("qc-bracket"),
    )
    .order_by(result.c.id)
)  # fmt: skip
_STALE: Final = (
    update(qc_state)
    .where(
        qc_state.c.site == given("at_site"),
        qc_state.c.analyzer == given("of_analyzer"),
        qc_state.c.module == given("of_module"),
        qc_state.c.test == given("of_test"),
        qc_state.c.level == given("of_level"),
    )
    .values(state="unjudged", rule=given("why"), at=given("at_moment"), since=given("at_moment"))
    .returning(qc_state.c.id)
)


def _open(table: Table) -> Any:
    return select(table).where(table.c.site == given("site"), table.c.ended_at.is_(None))


_TARGETS: Final = _open(qc_target).order_by(qc_target.c.test, qc_target.c.material, qc_target.c.lot, qc_target.c.id)
_PLANS: Final = _open(qc_plan).order_by(qc_plan.c.test, qc_plan.c.analyzer, qc_plan.c.id)
_DEROGATIONS: Final = _open(qc_derogation).order_by(qc_derogation.c.id)
_STATES: Final = (
    select(qc_state)
    .where(qc_state.c.site == given("site"))
    .order_by(qc_state.c.link, qc_state.c.analyzer, qc_state.c.test, qc_state.c.module, qc_state.c.level)
)
_TESTS_OUT: Final = (
    select(qc_state.c.test).where(qc_state.c.site == given("site"), is_one_of(qc_state.c.state, "out")).distinct()
)
_TARGETS_OF: Final = _TARGETS.where(qc_target.c.test.in_(_tests))
_PLANS_OF: Final = _PLANS.where(qc_plan.c.test.in_(_tests))
_DEROGATIONS_OF: Final = _DEROGATIONS.where(qc_derogation.c.test.in_(_tests), qc_derogation.c.approved_at.is_not(None))
_STATES_OF: Final = _STATES.where(qc_state.c.test.in_(_tests))


def controls_to_judge(message: int) -> Step:
    """A message's control results that are no point yet, in the order in which they were measured."""
    return Step(_CONTROLS, {"of_message": message})


def contributions_behind(message: int) -> Step:
    """With what the results of a message were measured: devices and lots."""
    return Step(_BEHIND, {"of_message": message})


def lots_among(site: str, identifiers: Sequence[str]) -> Step:
    """Every registered row of these control materials, oldest first."""
    return Step(_LOTS, {"site": site, "identifiers": list(identifiers)})


def materials_listed(site: str) -> Step:
    """Every registered control material and lot."""
    return Step(_MATERIALS, {"site": site})


def points_before(site: str, analyzer: str, test: str, *, since: str, most: int) -> Step:
    """The newest points of a test on an analyzer (its serial number or its link), newest first."""
    return Step(_POINTS, {"site": site, "analyzer": analyzer, "test": test, "since": since, "most": most})


def points_since(site: str, tests: Sequence[str], since: str) -> Step:
    """The points of these tests from a moment on, oldest first."""
    return Step(_RECENT, {"site": site, "tests": list(tests), "since": since})


def point_numbered(site: str, number: int) -> Step:
    """One point."""
    return Step(_POINT, {"site": site, "number": number})


def exclude_point(site: str, number: int, *, at: str, by: str) -> Step:
    """Mark a point as a technical error; answers it, or no row when it is marked already."""
    return Step(_EXCLUDE, {"at_site": site, "number": number, "at_moment": at, "by": by})


def restarts_of(site: str, test: str) -> Step:
    """The corrective actions that were documented for a test."""
    return Step(_RESTARTS, {"site": site, "test": test})


def quality_among(site: str, tests: Sequence[str], before: int) -> Step:
    """What quality control has to say of these tests at all, as (what, name): the one question that every verification asks.

    `control` and `average` with a test; `waits` with a link whose controls came in an earlier message and are not judged yet; `roster` where the
    laboratory keeps one; `supply` where people have recorded a calibration or a reagent; `material` where the analyzer names reagents.
    """
    named = {"tests": list(tests), "tests_or_all": [*tests, "*"]}
    return Step(_KNOWN, {"site": site, "of_message": before, **named})


def rejudge_points(changes: Sequence[tuple[int, str, str]]) -> Step:
    """What a level that came later says of the others of its run: (point, state, rules broken)."""
    return Step(_REJUDGE, [{"number": one, "becomes": state, "rules": rules} for one, state, rules in changes])


def held_in_brackets(site: str, analyzer: str, test: str) -> Step:
    """Results that wait for the next control of their test on this analyzer, with their last verdict."""
    return Step(_BRACKETED, {"site": site, "analyzer": analyzer, "test": test})


def state_is_unknown(site: str, analyzer: str, module: str, test: str, level: str, *, at: str, why: str) -> Step:
    """The newest point of a level counts no more: only the next control says how it stands."""
    return Step(
        _STALE,
        {"at_site": site, "of_analyzer": analyzer, "of_module": module, "of_test": test, "of_level": level, "at_moment": at, "why": why},
    )  # fmt: skip


def targets_open(site: str, tests: Sequence[str] | None = None) -> Step:
    """Targets in force, of these tests or of all."""
    return Step(_TARGETS, {"site": site}) if tests is None else Step(_TARGETS_OF, {"site": site, "tests": list(tests)})


def plans_open(site: str, tests: Sequence[str] | None = None) -> Step:
    """Plans in force, of these tests or of all."""
    return Step(_PLANS, {"site": site}) if tests is None else Step(_PLANS_OF, {"site": site, "tests": list(tests)})


def derogations_open(site: str) -> Step:
    """Derogations that nobody has ended, approved or not; whether their time is over is for who asks."""
    return Step(_DEROGATIONS, {"site": site})


def derogations_approved(site: str, tests: Sequence[str]) -> Step:
    """Derogations of these tests (or of "*", all) that two persons stand for."""
    return Step(_DEROGATIONS_OF, {"site": site, "tests": [*tests, "*"]})


def qc_states(site: str, tests: Sequence[str] | None = None) -> Step:
    """How quality control stands: one row per analyzer, module, test and level."""
    return Step(_STATES, {"site": site}) if tests is None else Step(_STATES_OF, {"site": site, "tests": list(tests)})


def tests_out(site: str) -> Step:
    """The tests of which a control is out on some analyzer."""
    return Step(_TESTS_OUT, {"site": site})


def end(table: Table, site: str, number: int, *, at: str) -> Step:
    """End a row that a person has set; answers it, or no row when it had ended."""
    statement = (
        update(table)
        .where(table.c.site == given("at_site"), table.c.id == given_number("number"), table.c.ended_at.is_(None))
        .values(ended_at=given("at_moment"))
        .returning(table)
    )
    return Step(statement, {"at_site": site, "number": number, "at_moment": at})


def end_derogation(site: str, number: int, *, at: str, by: str) -> Step:
    """Take a derogation back; answers it, or no row when it had ended."""
    statement = (
        update(qc_derogation)
        .where(qc_derogation.c.site == given("at_site"), qc_derogation.c.id == given_number("number"), qc_derogation.c.ended_at.is_(None))
        .values(ended_at=given("at_moment"), ended_by=given("by"))
        .returning(qc_derogation)
    )  # fmt: skip
    return Step(statement, {"at_site": site, "number": number, "at_moment": at, "by": by})


def approve_derogation(site: str, number: int, *, at: str, by: str) -> Step:
    """The second person's yes; answers the row, or none when it is not open, has a yes already, or is the same person's."""
    statement = (
        update(qc_derogation)
        .where(
            qc_derogation.c.site == given("at_site"),
            qc_derogation.c.id == given_number("number"),
            qc_derogation.c.ended_at.is_(None),
            qc_derogation.c.approved_at.is_(None),
            qc_derogation.c.asked_by != given("by"),
        )
        .values(approved_at=given("at_moment"), approved_by=given("by"))
        .returning(qc_derogation)
    )
    return Step(statement, {"at_site": site, "number": number, "at_moment": at, "by": by})


def close_lot(site: str, identifier: str, lot: str, *, at: str) -> Step:
    """A lot (or, with "", a material) is used no more; answers the row, or none when it was not in use."""
    statement = (
        update(material)
        .where(
            material.c.site == given("at_site"),
            material.c.identifier == given("of_identifier"),
            material.c.lot == given("of_lot"),
            or_(material.c.valid_to.is_(None), material.c.valid_to > given("at_moment")),
        )
        .values(valid_to=given("at_moment"))
        .returning(material)
    )
    return Step(statement, {"at_site": site, "of_identifier": identifier, "of_lot": lot, "at_moment": at})
