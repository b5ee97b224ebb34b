"""A partner sends a result again, in another state or with another value: which of the two counts? One table; pure.

The order of what a partner says is its own (MSH-7): what was said before what we have changes nothing. A final value that becomes another final value
without being called a correction is for a person. What has left is recalled, never overwritten.
"""

from __future__ import annotations

from enum import StrEnum

from labmw.frozen import value


class Fate(StrEnum):
    """What becomes of a version."""

    NEW = "new"
    REPEAT = "repeat"
    NEXT = "next"  # takes the place of one that had not left
    LATER = "later"  # a further version beside one that has left: a preliminary that is final now
    RECALL = "recall"  # what has left is taken back, and this one is judged
    OLD = "old"  # said before what is known
    WITHDRAWN = "withdrawn"
    CHANGED = "changed"  # a final value is another one now, and nobody calls it a correction


UNDECIDED = frozenset({"verify", "held", "blocked", "quarantined", "detail"})
LEFT = frozenset({"released", "delivered", "dead"})
WITHDRAWS = frozenset({"X", "D", "W"})


@value
class Version:
    """One version of a result: OBX-11, what it says, when it was said (MSH-7), and for one that is kept the state of its row."""

    status: str
    said: tuple[str, str, str, str]  # value, number, comparator, unit as sent
    said_at: str
    state: str = ""


def judge(new: Version, known: Version | None) -> Fate:
    """What becomes of a version beside the newest that is known."""
    if known is None:
        return Fate.OLD if new.status in WITHDRAWS else Fate.NEW
    same = new.said == known.said and new.status == known.status
    if same:
        return Fate.REPEAT
    if new.said_at < known.said_at:
        return Fate.OLD
    if new.status in WITHDRAWS:
        return Fate.WITHDRAWN
    settled = known.status in ("F", "C")
    if settled and new.status not in ("C",):
        if new.said == known.said:  # a snapshot that repeats the value under an earlier status
            return Fate.REPEAT
        return Fate.CHANGED
    if known.state in LEFT:
        return Fate.RECALL if new.said != known.said or settled else Fate.LATER
    return Fate.NEXT if known.state in UNDECIDED else Fate.LATER
