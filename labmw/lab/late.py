"""What does a fact do that comes late? What has not left is judged again; what has left and would not leave today goes on the recall list.

Nothing is held back in silence that was released: a person decides whether it is withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from labmw.clock import read_stamp, stamp
from labmw.model import Reason
from labmw.store import schema, statements
from labmw.store.statements import recalls as listed
from labmw.store.statements import surroundings as stored
from labmw.store.transaction import Transaction

AGAIN: Final = "again"
LOOK_BACK: Final = timedelta(days=31)
"""What left longer ago is not judged again by itself: it is history by then, and a withdrawal is a matter of its own."""
MOST_MESSAGES: Final = 50  # judged again for one fact
MOST_TUBES: Final = 50
MOST_RECALLED: Final = 5000


def look_again(site: str, messages: Sequence[int], why: str, at: str, due: str = "") -> Transaction[int]:
    """Have messages judged again from `due` on (at once without); one that waits already, due by then, is left as it is."""
    made = 0
    for message in messages:
        if (yield stored.again_waits(message, due or at)):
            continue
        row = {"kind": AGAIN, "message": message, "due_at": due or at, "created_at": at, "why": why}
        yield statements.insert(schema.work, site=site, **row)
        made += 1
    return made


def tubes_changed(
    site: str, tubes: Sequence[str], why: str, at: str, *, but: int = 0, back: timedelta = LOOK_BACK
) -> Transaction[int]:
    """Something is known of these tubes that was not: another result, the time of collection, the ward."""
    if not tubes:
        return 0
    since = stamp(read_stamp(at) - back)
    rows = yield stored.judged_messages_on(site, tubes, since=since, limit=MOST_MESSAGES)
    return (yield from look_again(site, [row.message for row in rows if row.message != but], why, at))


def patient_changed(site: str, patient: str, why: str, at: str, *, back: timedelta = LOOK_BACK) -> Transaction[int]:
    """Something is known of a patient that was not: sex, birth date, earlier results."""
    rows = yield stored.tubes_of_patient(site, patient, limit=MOST_TUBES)
    return (yield from tubes_changed(site, sorted({row.identifier for row in rows}), why, at, back=back))


def quality_failed(
    site: str, analyzer: str, loinc: str, since: str, at: str, facts: Mapping[str, str]
) -> Transaction[int]:
    """Quality control of a test on an analyzer failed: all that left since it last held goes on the recall list, all that is held is judged again.

    `analyzer` is the link's name or the serial number, `since` the moment of the last control that held. Returns how many are on the list.
    """
    left = yield listed.left_since(site, analyzer, loinc, since=since, limit=MOST_RECALLED)
    for row in left:
        yield from recall(site, row.id, "late-quality", facts, at)
    held = yield listed.held_since(site, analyzer, loinc, since=since, limit=MOST_RECALLED)
    yield from look_again(site, [row.message for row in held], "late-quality", at)
    return len(left)


def recall(site: str, result: int, cause: str, facts: Mapping[str, str], at: str) -> Transaction[bool]:
    """Put a result that has left on the recall list; once for a cause, and again only where the facts are others."""
    text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
    known = yield listed.recall_of(site, result, cause)
    if known and known[0].facts == text:
        return False
    row = {"facts": text, "raised_at": at, "state": "open", "closed_at": None, "closed_by": "", "note": ""}
    yield statements.insert_or_update(schema.recall, site=site, result=result, cause=cause, **row)
    return True


def told_of(reason: Reason) -> dict[str, str]:
    """What the recall list keeps of a reason, so that its sentence can be said."""
    return dict(reason.facts) | {"code": reason.code, "rule": reason.rule}
