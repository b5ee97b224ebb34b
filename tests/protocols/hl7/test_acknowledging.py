"""What two sides have agreed on is what their messages ask for and what is answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.hl7.acknowledging import Agreed, law_as_agreed, ltw_as_agreed
from protocols.hl7.profile import BA400, GENERIC, LTW_GENERIC, LawProfile, LtwProfile

Asks = tuple[str, str, bool, str]


def asks(profile: LawProfile | LtwProfile) -> Asks:
    return (profile.accept, profile.application, profile.two_replies, profile.reply_accept)


@pytest.mark.parametrize(
    ("agreed", "law", "ltw"),
    [
        ("", ("ER", "NE", True, "NE"), ("", "", True, "NE")),
        ("application", ("NE", "AL", False, "NE"), ("", "", False, "NE")),
        ("both", ("AL", "AL", True, "NE"), ("AL", "AL", True, "NE")),
        ("confirmed", ("AL", "AL", True, "AL"), ("AL", "AL", True, "AL")),
    ],
)
def test_what_was_agreed_is_asked_for(agreed: Agreed, law: Asks, ltw: Asks) -> None:
    assert asks(law_as_agreed(BA400, agreed)) == law
    assert asks(ltw_as_agreed(LTW_GENERIC, agreed)) == ltw


def test_nothing_else_changes() -> None:
    both = law_as_agreed(GENERIC, "both")
    assert replace(both, accept=GENERIC.accept) == GENERIC
    assert law_as_agreed(BA400, "") is BA400
