"""Is labmw alive? Yes when the lines process has written down how its links are doing a moment ago, and the store can be read."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.clock import Clock, read_stamp
from labmw.errors import StoreError
from labmw.store import Row, Transaction, open_reader, statements

LATE = 60.0  # seconds; the lines process writes every 15 (labmw.fitting.rounds.HEARTBEAT_EVERY)


@dataclass(frozen=True, slots=True)
class Health:
    """The answer, and why it is not a yes. Nothing here tells anything of patients, paths or peers."""

    reasons: tuple[str, ...]

    @property
    def well(self) -> bool:
        """True when there is no reason against it."""
        return not self.reasons


def look(url: str, site: str, clock: Clock, *, beats: bool) -> Health:
    """Look now. `beats`: the configuration has something whose state is written down (a link or a LIS)."""
    try:
        with open_reader(url) as reader:
            states = reader.look(lambda: _states(site))
    except StoreError:
        return Health(("the store cannot be read; see the log of the web process",))
    if not beats:
        return Health(())
    if not states:
        return Health(("the lines process has written nothing yet",))
    age = (clock.now() - max(read_stamp(row.updated_at) for row in states)).total_seconds()
    if age > LATE:
        return Health((f"the lines process has written nothing for {age:.0f} s",))
    return Health(())


def _states(site: str) -> Transaction[list[Row]]:
    return (yield statements.link_states(site))
