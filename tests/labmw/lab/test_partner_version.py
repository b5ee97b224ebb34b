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
    ("new", "known", "fate"),
    [
        (version("F"), None, Fate.NEW),
        (version("P"), None, Fate.NEW),
        (version("X"), None, Fate.OLD),  # a withdrawal of what never came
        (version("F"), version("F", at=EARLY, state="delivered"), Fate.REPEAT),
        (version("P", at=EARLY), version("F", state="delivered"), Fate.OLD),
        (version("F"), version("P", at=EARLY, state="held"), Fate.NEXT),
        (version("F", "31"), version("P", at=EARLY, state="held"), Fate.NEXT),
        (version("F"), version("P", at=EARLY, state="delivered"), Fate.LATER),
        (version("F", "31"), version("P", at=EARLY, state="delivered"), Fate.RECALL),
        (version("C", "31"), version("F", at=EARLY, state="delivered"), Fate.RECALL),
        (version("C", "31"), version("F", at=EARLY, state="held"), Fate.NEXT),
        (version("C", "31"), version("F", at=EARLY, state="withdrawn"), Fate.LATER),
        (version("F", "31"), version("F", at=EARLY, state="delivered"), Fate.CHANGED),
        (version("F", "31"), version("C", at=EARLY, state="held"), Fate.CHANGED),
        (version("F"), version("C", at=EARLY, state="held"), Fate.REPEAT),
        (version("P", "31"), version("F", at=EARLY, state="delivered"), Fate.CHANGED),
        (version("X"), version("F", at=EARLY, state="delivered"), Fate.WITHDRAWN),
    ],
)
def test_every_line(new: Version, known: Version | None, fate: Fate) -> None:
    assert judge(new, known) is fate


STATES = [*sorted(UNDECIDED | LEFT), "withdrawn"]
VERSIONS = some.builds(
    version, some.sampled_from(["P", "F", "C", "X", "D", ""]), some.sampled_from(["22", "31"]), some.sampled_from([EARLY, LATE]), some.sampled_from(STATES)
)  # fmt: skip


@given(VERSIONS, VERSIONS)
def test_what_has_left_is_never_overwritten(new: Version, known: Version) -> None:
    found = judge(new, known)
    if found is Fate.NEXT:
        assert known.state in UNDECIDED
    if (
        known.state in LEFT
        and new.said != known.said
        and new.status == "C"
        and known.status in ("F", "C")
        and new.said_at >= known.said_at
    ):
        assert found is Fate.RECALL
    if new.said_at < known.said_at and new != known and (new.said, new.status) != (known.said, known.status):
        assert found is Fate.OLD
    if new.status in WITHDRAWS and known.status not in WITHDRAWS and new.said_at >= known.said_at:
        assert found is Fate.WITHDRAWN
