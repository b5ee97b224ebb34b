"""Which acknowledgments are asked for on a line, where its two sides have agreed on other ones than the profile's? A profile, changed by one word.

HL7 2.5.1 chapter 2.9 leaves it to each message (MSH-15, MSH-16), and a line to its two sides: IHE has one application reply, some interface
engines want a commit acknowledgment before it (decision 0079).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from protocols.hl7.profile import LawProfile, LtwProfile

Agreed = Literal["", "application", "both", "confirmed"]
"""What was agreed: "" as the profile has it; one application reply, also for a side that asks for both; both, as two messages; and both, where
our own application replies are to be accept-acknowledged too."""


def law_as_agreed(profile: LawProfile, agreed: Agreed) -> LawProfile:
    """A LAW profile with the acknowledgments that were agreed."""
    match agreed:
        case "application":
            return replace(profile, accept="NE", application="AL", two_replies=False)
        case "both" | "confirmed":
            asks = "AL" if agreed == "confirmed" else "NE"
            return replace(profile, accept="AL", application="AL", two_replies=True, reply_accept=asks)
    return profile


def ltw_as_agreed(profile: LtwProfile, agreed: Agreed) -> LtwProfile:
    """The profile of an LIS with the acknowledgments that were agreed; one reply alone is original mode, as LTW has it."""
    match agreed:
        case "application":
            return replace(profile, accept="", application="", two_replies=False)
        case "both" | "confirmed":
            asks = "AL" if agreed == "confirmed" else "NE"
            return replace(profile, accept="AL", application="AL", two_replies=True, reply_accept=asks)
    return profile
