"""What is in trouble now, and what to do about it? From a snapshot to sentences; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from labmw.clock import stamp
from labmw.config import Config
from labmw.lab.partner_watch import NOT_LATE
from labmw.phrases import Language, codes, say
from labmw.store import Row
from labmw.store.statements.worklist import ON_ITS_LINE
from labmw.watch.finding import Finding, error, good, warning
from labmw.watch.snapshot import Snapshot
from labmw.watch.spoken import duration, moment, since, some

LATE = timedelta(seconds=60)  # the lines process writes every 15 s
STUCK = timedelta(seconds=60)  # a step of a result's life takes well under a second
SILENT = timedelta(hours=12)  # a line that has not said anything since yesterday
ALERTS_TOLD = 5  # tubes told one by one; further ones are listed

_WEIGHTS = dict.fromkeys(
    ("frames-refused", "orders-not-taken", "lis-silent", "unsafe", "peer-certificate-ends", "certificate-files"),
    warning,
)  # every other trouble of a line stops it


@dataclass(frozen=True, slots=True)
class Telling:
    """For whom and when the sentences are made."""

    language: Language
    now: datetime
    zone: ZoneInfo

    def ago(self, stamp: str) -> str:
        """How long ago a moment of the store was, in words."""
        return duration(since(stamp, self.now), self.language)


def troubles(config: Config, snapshot: Snapshot, telling: Telling) -> list[Finding]:
    """Every sentence there is to say, the daemon first, then lines, delivery, and what waits for a person."""
    found = [*_daemon(snapshot, telling)]
    if snapshot.served_by is not None:  # of a daemon that is down, the last state of its lines says nothing
        found += _lines(config, snapshot, telling)
    found += _delivery(snapshot, telling)
    found += quality(snapshot, telling)
    found += _people(snapshot, telling)
    return found


def _daemon(snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    last = max((row.updated_at for row in snapshot.links), default="")
    if snapshot.served_by is None:
        if last:
            yield error("labmw", "not-running", last=moment(last, telling.zone), ago=telling.ago(last))
        else:
            yield error("labmw", "never-run")
    elif last and since(last, telling.now) > LATE:
        yield error("labmw", "frozen", process=snapshot.served_by, ago=telling.ago(last))
    for kind, count, oldest in snapshot.work:
        if since(oldest, telling.now) > STUCK:
            yield warning("labmw", "work-stuck", count=count, kind=kind, ago=telling.ago(oldest))


def _lines(config: Config, snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    states = {row.link: row for row in snapshot.links}
    analyzers = [link.name for link in config.link]
    heard = list(analyzers)
    if config.lis is not None and config.lis.speaks:
        heard.append(config.lis.feed)
    heard += [partner.feed for partner in config.partners if partner.listen]
    spoken_to = [partner.name for partner in config.partners if partner.connect or partner.files]
    wanted = [*spoken_to, *heard, *config.destinations]
    for name in wanted:
        row = states.get(name)
        if row is None:
            if states:
                yield warning(name, "line-unknown", link=name)
            continue
        told = list(_told(row, telling))
        yield from told
        if not told and name in heard:
            yield from _quiet(row, telling, "line" if name in analyzers else "feed")


def _told(row: Row, telling: Telling) -> Iterator[Finding]:
    """Say what the line itself has noted."""
    facts: Mapping[str, Mapping[str, str]] = json.loads(row.facts)
    for code in filter(None, row.trouble.split(",")):
        weigh = _WEIGHTS.get(code, error)
        told = dict(facts.get(code, {}))
        if "reason" in told:  # why, in the language of whoever reads
            told["why"] = say(told["reason"], telling.language, **told)
        yield weigh(row.link, code, **{"link": row.link, **told})


def _quiet(row: Row, telling: Telling, kind: str) -> Iterator[Finding]:
    """`kind`: line of an analyzer, or feed of the LIS or of another laboratory."""
    if row.heard_at is None:
        yield warning(row.link, f"{kind}-never-heard", link=row.link)
    elif since(row.heard_at, telling.now) > SILENT:
        yield warning(row.link, f"{kind}-silent", link=row.link, ago=telling.ago(row.heard_at))
    else:
        code = "line-good" if row.connected else "line-waits"
        yield good(row.link, code, link=row.link, peer=row.peer, ago=telling.ago(row.heard_at))


def _delivery(snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    waiting: dict[str, list[Row]] = {}
    for row in snapshot.outbox:
        destination, state, count, oldest, attempts = row
        if state == "dead":
            yield error(destination, "dead-letters", destination=destination, count=count, ago=telling.ago(oldest))
        else:
            waiting.setdefault(destination, []).append(row)
    for destination, rows in waiting.items():
        count = sum(row[2] for row in rows)
        oldest, attempts = min(row[3] for row in rows), max(row[4] for row in rows)
        weigh = warning if since(oldest, telling.now) > STUCK else good
        yield weigh(
            destination,
            "outbox-waits",
            destination=destination,
            count=count,
            ago=telling.ago(oldest),
            attempts=attempts,
        )


def quality(snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    """What quality control stops, and what lets go in spite of it."""
    for row in snapshot.controls:
        if row.state == "out":
            facts = {"link": row.link, "test": row.test_name or row.test, "level": row.level, "rule": row.rule}
            yield error(row.link, "control-out", **facts, ago=telling.ago(row.at), number=row.test)
    for row in snapshot.averages:
        if row.state == "alarm":
            yield error(
                row.analyzer, "average-alarms", analyzer=row.analyzer, test=row.test, ago=telling.ago(row.since)
            )
    for row in snapshot.derogations:
        if row.approved_at and row.until > stamp(telling.now):
            until = moment(row.until, telling.zone)[:16]
            yield warning(
                row.analyzer or "*", "derogation-open", number=row.id, test=row.test, until=until, why=row.why
            )


def _people(snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    by_tube: dict[str, list[Row]] = {}
    for row in snapshot.alerts:
        if row.kind == "average":
            continue  # told by what it stops
        by_tube.setdefault(row.specimen, []).append(row)
    tubes = list(by_tube)
    for tube in tubes[:ALERTS_TOLD]:
        rows = by_tube[tube]
        oldest = telling.ago(min(row.raised_at for row in rows))
        yield error(tube, "alert-open", specimen=tube, values=some(map(_value, rows), len(rows)), ago=oldest)
    if more := tubes[ALERTS_TOLD:]:
        yield error("alerts", "alerts-more", count=len(more), specimens=some(more, len(more)))
    for row in snapshot.changed:
        said = " / ".join(filter(None, (row.serial, row.software)))
        yield warning(row.link, "line-changed", link=row.link, now=said, ago=telling.ago(row.first_seen))
    for row in snapshot.stops:
        facts = {"target": row.target or "–", "by": row.stopped_by, "at": moment(row.stopped_at, telling.zone)}
        why = say(f"stopped-{row.scope}", telling.language, why=row.reason, **facts)
        yield warning(row.target or "labmw", "line-stopped", why=why)
    if snapshot.calls:
        oldest = telling.ago(snapshot.calls[0].raised_at)
        about = some(row.specimen for row in snapshot.calls)
        yield error("calls", "calls-owed", count=len(snapshot.calls), ago=oldest, specimens=about)
    if snapshot.recalls:
        oldest = telling.ago(snapshot.recalls[0].raised_at)
        about = some(row.specimen for row in snapshot.recalls)
        yield error("recalls", "recalls-open", count=len(snapshot.recalls), ago=oldest, specimens=about)
    if snapshot.tasks:
        oldest = telling.ago(snapshot.tasks[0].raised_at)
        about = some(row.specimen for row in snapshot.tasks)
        yield warning("tasks", "tasks-open", count=len(snapshot.tasks), ago=oldest, specimens=about)
    yield from _late(snapshot.sub_orders, telling)
    for row in snapshot.lookbacks:
        about, ago = row.subject, telling.ago(row.opened_at)
        yield warning("lookback", "lookback-open", number=row.id, about=about, left=row.left, ago=ago)
    yield from _to_present(snapshot.to_present, telling)
    yield from _quarantine(snapshot, telling)
    yield from _held(snapshot.held, telling)


def _late(rows: Sequence[Row], telling: Telling) -> Iterator[Finding]:
    """Sub-orders whose results are overdue, partner by partner: ours that a subcontractor has, and those that we owe a requester."""
    now = stamp(telling.now)
    late = [row for row in rows if row.due_at and row.due_at < now and row.state not in NOT_LATE]
    for partner, role in dict.fromkeys((row.partner, row.role) for row in late):
        here = [row for row in late if (row.partner, row.role) == (partner, role)]
        about, ago = some(row.specimen for row in here), telling.ago(here[0].due_at)
        code = "interlab-late-theirs" if role == "requester" else "interlab-late-ours"
        yield warning(partner, code, partner=partner, count=len(here), ago=ago, specimens=about)


def _to_present(rows: Sequence[Row], telling: Telling) -> Iterator[Finding]:
    """Tubes that an analyzer asked about when nobody could say whether there is work, or of which it was not given all."""
    for reason in dict.fromkeys(row.reason for row in rows):
        here = [row for row in rows if row.reason == reason]
        words = reason_in_words(reason, [{"specimen": row.specimen} for row in here], telling.language)
        if reason in ON_ITS_LINE:
            links = some(row.link for row in here)
            about = some(row.specimen for row in here)
            yield warning("tubes", "tubes-kept-back", count=len(here), links=links, specimens=about, why=words)
            continue
        yield warning(
            "tubes",
            "tubes-to-present",
            count=len(here),
            specimens=some(row.specimen for row in here),
            why=words,
        )


def _value(row: Row) -> str:
    """A critical value in a few words."""
    return " ".join(filter(None, (json.loads(row.facts).get("test") or row.code, row.value, row.unit_raw)))


def _quarantine(snapshot: Snapshot, telling: Telling) -> Iterator[Finding]:
    by_reason: dict[str, list[Row]] = {}
    for row in snapshot.quarantine:
        by_reason.setdefault(row.reason, []).append(row)
    for reason, entries in by_reason.items():
        yield warning(
            reason,
            "quarantine-open",
            count=len(entries),
            ago=telling.ago(min(row.raised_at for row in entries)),
            why=reason_in_words(reason, [json.loads(row.facts) for row in entries], telling.language),
            specimens=some(
                tube for row in entries for tube in (row.specimen, *snapshot.tubes.get(row.message, ())) if tube
            ),
            links=some(row.link for row in entries),
        )


def _held(rows: Sequence[Row], telling: Telling) -> Iterator[Finding]:
    by_reason: dict[str, list[tuple[Row, Mapping[str, str]]]] = {}
    for row in rows:
        reasons: list[dict[str, Any]] = json.loads(row.reasons)
        first: dict[str, Any] = (
            reasons[0] if reasons else {"code": "unexplained", "facts": {}}
        )  # the most severe comes first
        by_reason.setdefault(first["code"], []).append((row, first["facts"]))
    for reason, entries in sorted(by_reason.items()):
        yield warning(
            reason,
            "results-held",
            count=len(entries),
            why=reason_in_words(reason, [facts for _, facts in entries], telling.language),
            specimens=some(row.specimen for row, _ in entries),
        )


def reason_in_words(reason: str, facts: Iterable[Mapping[str, object]], language: Language) -> str:
    """The sentence of a reason that several share: as it is when their facts are the same, else that of the first, as an example."""
    if reason not in codes():
        return reason
    sentences = dict.fromkeys(
        say(reason, language, **{name: value for name, value in one.items() if isinstance(value, str | int)})
        for one in facts
    )
    first = next(iter(sentences), say(reason, language))
    return first if len(sentences) < 2 else say("for-example", language, sentence=first)
