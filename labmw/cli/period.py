"""How does a person say a moment or a period on the command line, and what is it in the store?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config


def stamped(settings: Config, text: str, tongue: Language) -> str:
    """A moment as the store keeps it, in the site's time where it says no other; ends the command when it is none."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from labmw.clock import stamp

    try:
        moment = datetime.fromisoformat(text.strip())
        return stamp(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(settings.site.timezone)))
    except (ValueError, OverflowError):  # the year 1 or 9999, in another zone, is in no calendar
        fail(say("redeliver-period", tongue, text=text), UNUSABLE)


def between(settings: Config, since: str, before: str, tongue: Language) -> tuple[str, str]:
    """A period, each end "" where it is open; ends the command when it ends before it begins: it would be found empty, and believed."""
    begins, ends = (stamped(settings, text, tongue) if text.strip() else "" for text in (since, before))
    if begins and ends and begins >= ends:
        fail(say("redeliver-period", tongue, text=before), UNUSABLE)
    return begins, ends
