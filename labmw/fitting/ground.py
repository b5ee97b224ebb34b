"""What does every part stand on? The configuration, a clock and the store, and for each line and destination its state and its certificates."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from labmw.clock import Clock
from labmw.config import Config
from labmw.line.health import LinkHealth
from labmw.store.transaction import Store
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls

log = structlog.get_logger("labmw.app")

Work = tuple[str, Coroutine[Any, Any, None]]
"""A task's name, and what it does."""


@dataclass(slots=True)
class Ground:
    """One for a process: whoever asks for a line's state by its name gets the same."""

    config: Config
    clock: Clock
    store: Store
    health: dict[str, LinkHealth] = field(default_factory=dict)
    credentials: list[tuple[str, Credentials]] = field(default_factory=list)

    @property
    def site(self) -> str:
        """The laboratory's own identifier: it is in every key (law 6)."""
        return self.config.site.id

    def health_of(self, name: str) -> LinkHealth:
        """The state of a line or destination."""
        if name not in self.health:
            self.health[name] = LinkHealth(self.site, name, self.clock)
        return self.health[name]

    def credentials_of(self, name: str, tls: Tls | None, server: bool) -> Credentials | None:
        """What a line or destination speaks TLS with; files that cannot be used are told, and looked at again and again."""
        if tls is None:
            return None
        credentials = Credentials(tls, server=server)
        credentials.refresh()
        if credentials.problem:
            log.error("certificate files cannot be used", link=name, why=credentials.problem)
        self.credentials.append((name, credentials))
        return credentials
