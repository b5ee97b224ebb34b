"""Which of two versions of a partner's result counts? Every line of the table, and what must hold whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labmw.lab.partner_version import LEFT, UNDECIDED, WITHDRAWS, Fate, Version, judge

EARLY, LATE = "2026-01-01T08:00:00.000000Z", "2026-01-01T09:00:00.000000Z"


def version(status: str, value: str = "22", at: str = LATE, state: str = "") -> Version:
    return Version(status, (value, value, "", "U/L"), at, state)


@pytest.mark.parametrize(
    ("new", "known", "fate", "alert"),
    [
        (version("F"), None, Fate.NEW, False),
        (version("P"), None, Fate.NEW, False),
        (version("X"), None, Fate.OLD, False),  # a withdrawal of what never came
        (version("F"), version("F", at=EARLY, state="delivered"), Fate.REPEAT, False),
        (version("P", at=EARLY), version("F", state="delivered"), Fate.OLD, False),
        (version("F"), version("P", at=EARLY, state="held"), Fate.NEXT, False),
        (version("F", "31"), version("P", at=EARLY, state="held"), Fate.NEXT, False),
        (version("F"), version("P", at=EARLY, state="delivered"), Fate.LATER, False),
        (version("F", "31"), version("P", at=EARLY, state="delivered"), Fate.RECALL, True),
        (version("C", "31"), version("F", at=EARLY, state="delivered"), Fate.RECALL, True),
        (version("C", "31"), version("F", at=EARLY, state="held"), Fate.NEXT, False),
        (version("C", "31"), version("F", at=EARLY, state="withdrawn"), Fate.LATER, False),
        (version("F", "31"), version("F", at=EARLY, state="delivered"), Fate.CHANGED, True),
        (version("F", "31"), version("C", at=EARLY, state="held"), Fate.CHANGED, True),
        (version("F"), version("C", at=EARLY, state="held"), Fate.REPEAT, False),
        (version("P", "31"), version("F", at=EARLY, state="delivered"), Fate.CHANGED, True),
        (version("X"), version("F", at=EARLY, state="delivered"), Fate.WITHDRAWN, False),
    ],
)
def test_every_line(new: Version, known: Version | None, fate: Fate, alert: bool) -> None:
    found = judge(new, known)
    assert (found.fate, found.alert) == (fate, alert)


STATES = [*sorted(UNDECIDED | LEFT), "withdrawn"]
VERSIONS = some.builds(
    version, some.sampled_from(["P", "F", "C", "X", "D", ""]), some.sampled_from(["22", "31"]), some.sampled_from([EARLY, LATE]), some.sampled_from(STATES)
)  # fmt: skip


@given(VERSIONS, VERSIONS)
def test_what_has_left_is_never_overwritten(new: Version, known: Version) -> None:
    found = judge(new, known)
    if found.fate is Fate.NEXT:
        assert known.state in UNDECIDED
    if (
        known.state in LEFT
        and new.said != known.said
        and new.status == "C"
        and known.status in ("F", "C")
        and new.said_at >= known.said_at
    ):
        assert found.fate is Fate.RECALL
    if new.said_at < known.said_at and new != known and (new.said, new.status) != (known.said, known.status):
        assert found.fate is Fate.OLD
    if new.status in WITHDRAWS and known.status not in WITHDRAWS and new.said_at >= known.said_at:
        assert found.fate is Fate.WITHDRAWN
