"""Who sees the application replies through that follow a commit acknowledgment, and answers batches? One for each line, made when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from labmw.fitting.ground import Ground, Work
from labmw.lab.batch_envelopes import BatchEnvelopes
from labmw.lab.owed_replies import OwedReplies
from labmw.line.health import LinkHealth
from labmw.line.replying import Replying


@dataclass(slots=True)
class Replies:
    """Those of all lines."""

    ground: Ground
    _replying: dict[str, Replying] = field(default_factory=dict)

    def on(self, name: str, health: LinkHealth, patience: float) -> Replying:
        """What sees the replies of a line through; `patience` in seconds, until one that is to be confirmed is sent again."""
        if name not in self._replying:
            ground = self.ground
            owed = OwedReplies(ground.site, ground.store, ground.clock, ground.config.store.commit_timeout)
            self._replying[name] = Replying(name, owed, health, ground.clock, patience)
        return self._replying[name]

    @property
    def envelopes(self) -> BatchEnvelopes:
        """What answers whole batches."""
        ground = self.ground
        return BatchEnvelopes(ground.site, ground.store, ground.clock, ground.config.store.commit_timeout)

    def work(self) -> Iterator[Work]:
        """What runs beside the lines, once all of them are open."""
        for name, one in self._replying.items():
            yield f"replies {name}", one.run()
