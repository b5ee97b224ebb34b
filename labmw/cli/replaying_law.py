"""What would a LAW analyzer's query be answered, from a worklist file? The messages that the daemon's own functions write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from labmw.cli.replayed import HOST, AnswerShown
from labmw.cli.worklist_file import Worklist
from labmw.driver import Driver
from labmw.driver.answering import Said
from labmw.driver.asking import Asked, Named, What
from labmw.driver.declaration import Hl7Driver
from labmw.driver.order_writing import Work
from labmw.lab.law_orders import LawLink, Tube, hl7_time, new_control_id, write_nothing, write_steps
from labmw.model import Specimen
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.er7 import Message
from protocols.hl7.law_query import read_query, write_query_answer
from protocols.hl7.law_values import Query
from protocols.hl7.profile import LawProfile, QueryBy


@dataclass(frozen=True, slots=True)
class _Step:
    """What `write_steps` asks of a row of the store."""

    awos: str
    loinc: str
    code: str
    test_name: str
    priority: str
    dilution: str = ""


def answer_law(
    worklist: Worklist, message: Message, driver: Driver, profile: LawProfile, now: datetime, zone: ZoneInfo
) -> AnswerShown | None:
    """The reply and the work; None for a message that asks nothing."""
    if (message.code, message.trigger) != ("QBP", "Q11"):
        return None
    try:
        query = read_query(message, profile)
        return _answer(worklist, query, LawLink("replay", {}, profile, zone, HOST), driver, now)
    except Hl7Error as error:
        return AnswerShown(Said.NOTHING, why="replay-unwritable", facts=(("why", str(error)),))


def _answer(worklist: Worklist, query: Query, link: LawLink, driver: Driver, now: datetime) -> AnswerShown:
    label = query.isolate or query.container
    if query.problem is not None:
        return AnswerShown(
            Said.UNABLE,
            (_reply(query, link, now, query.problem),),
            why="query-not-served",
            facts=(("problem", query.problem.text),),
        )
    if query.by is QueryBy.ALL:
        works = worklist.work_for(Asked(What.ALL), driver)
    elif label:
        works = worklist.work_for(Asked(What.TUBES, (Named(label, label),)), driver)
    else:  # which tubes stand on a rack or tray is known to the daemon alone, from what analyzers have told
        return AnswerShown(Said.NOTHING, why="replay-rack")
    works = [one for one in works if one.tests]
    if not works and not worklist.fresh:
        problem = ErrorDetail("207", "orders cannot be looked up at the moment; present the tube again", None)
        return AnswerShown(
            Said.UNABLE, (_reply(query, link, now, problem),), (label,) if label else (), "order-feed-stale"
        )
    messages = [_reply(query, link, now, None)]
    for work in works:
        steps = [_step(driver, test.code, test.priority) for test in work.tests]
        broadcast = write_steps(link, _tube(query, work), steps, control="NW", to=query.header, at=now)
        messages.append(_lines(broadcast.raw))
    if not works and label:
        messages.append(_lines(write_nothing(link, Tube(label), to=query.header, at=now).raw))
    return AnswerShown(Said.WORK if works else Said.NO_WORK, tuple(messages))


def _tube(query: Query, work: Work) -> Tube:
    specimen = Specimen("", work.specimen, "", work.kind, collected=work.collected)
    here = work.specimen == (query.isolate or query.container)
    placed = (query.carrier, query.position, query.tray, query.tray_position) if here else ("", "", "", "")
    return Tube(work.specimen, specimen, work.patient, *placed)


def _step(driver: Driver, code: str, priority: str) -> _Step:
    test = driver.tests.get(code)
    loinc = test.loinc if test else code if isinstance(driver, Hl7Driver) and driver.coded else ""
    return _Step(new_control_id(), loinc, code, test.name if test else "", priority)


def _reply(query: Query, link: LawLink, now: datetime, problem: ErrorDetail | None) -> tuple[str, ...]:
    when = hl7_time(now, link.zone)
    code = "AE" if problem else "AA"
    raw = write_query_answer(
        query, control_id=new_control_id(), when=when, code=code, error=problem, profile=link.profile
    )
    return _lines(raw)


def _lines(raw: bytes) -> tuple[str, ...]:
    return tuple(raw.decode("utf-8", "replace").rstrip("\r").split("\r"))
