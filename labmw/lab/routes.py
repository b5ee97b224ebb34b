"""Which results go to which destination? The LIS gets all of them, the others what the configuration says: by line and by test."""

from __future__ import annotations

from collections.abc import Callable

from labmw.config import Config
from labmw.store.transaction import Row

Takes = Callable[[str, Row], bool]
"""Whether a destination takes a result."""


def everything(destination: str, row: Row) -> bool:
    """Every destination takes every result."""
    return True


def routes(config: Config) -> Takes:
    """Who takes what, by the configuration."""
    chosen = {one.name: (frozenset(one.links), frozenset(one.tests)) for one in config.destination}
    chosen |= {drop.name: (frozenset(drop.links), frozenset(drop.tests)) for drop in config.files}

    def takes(destination: str, row: Row) -> bool:
        links, tests = chosen.get(destination, (frozenset(), frozenset()))
        return (not links or row.link in links) and (not tests or row.loinc in tests)

    return takes
