"""How does this laboratory work, as far as verdicts ask? Its modes by the hour, the analyzers that are told what to do, its LIS, and how long a call counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from labmw.config import Config
from labmw.lab.work_link import WorkLink

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Mode:
    """A way of working with a name of the laboratory's own (night, on-call), from one time of day to another."""

    name: str
    start: time
    end: time
    days: frozenset[str] = frozenset(DAYS)  # on which it begins

    def holds(self, at: datetime) -> bool:
        """Whether it is that time, on the laboratory's own clock; a night belongs to the day on which it began."""
        clock, day = at.time(), at.weekday()
        if self.start < self.end:
            inside = self.start <= clock < self.end
        else:
            inside = clock >= self.start or clock < self.end
            day = (day - 1) % 7 if clock < self.end else day
        return inside and DAYS[day] in self.days


@dataclass(frozen=True, slots=True)
class Practice:
    """What is told of the laboratory where it is set up; the defaults know nothing."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    modes: tuple[Mode, ...] = ()  # the first that holds counts
    analyzers: Mapping[str, WorkLink] = field(default_factory=dict)  # those that are told what to do, by link
    lis: str = ""  # the destination that is told of added tests; "" = nobody is
    call_window: timedelta = timedelta(hours=24)  # within which a documented call covers a repeat
    taps: frozenset[str] = frozenset()  # lines that are only listened to: nothing of them leaves
    watch_rate: bool = True  # a jump of the release rate stops its analyzer

    @classmethod
    def of(cls, config: Config, analyzers: Mapping[str, WorkLink]) -> Practice:
        """What the configuration says."""
        modes = tuple(
            Mode(
                one.name,
                time.fromisoformat(one.begins),
                time.fromisoformat(one.ends),
                frozenset(one.days) or frozenset(DAYS),
            )
            for one in config.rules.mode
        )
        return cls(
            ZoneInfo(config.site.timezone),
            modes,
            analyzers,
            # A LIS over ASTM takes results alone.
            config.lis.name if config.lis is not None and config.lis.protocol == "hl7" else "",
            timedelta(hours=config.rules.call_hours),
            frozenset(link.name for link in config.link if link.tap),
            config.rules.watch_release_rate,
        )

    def mode(self, now: datetime) -> str:
        """How the laboratory is staffed now; "" where it has not said."""
        local = now.astimezone(self.zone)
        return next((mode.name for mode in self.modes if mode.holds(local)), "")
