"""Who gets what: analyzers their tests, further receivers their results ([[route]], [[files]], [[destination]])."""

from __future__ import annotations

from datetime import date
from typing import Literal

from labmw.config.strict import Strict
from labmw.tls.settings import Tls


class Comparison(Strict, frozen=True):
    """What says that analyzers give the same, so that one may stand in for another."""

    document: str
    by: str
    until: date | None = None  # the last day on which it holds


class Route(Strict, frozen=True):
    """Which analyzers do some tests; a test without a route goes to every analyzer that knows it."""

    tests: list[str]  # LOINC codes
    links: list[str]  # the preferred one first; one alone pins the tests
    urgent: list[str] = []  # where stat and as soon as possible go instead
    by: Literal["preference", "load"] = "preference"
    comparable: Comparison | None = None  # without it no other than the preferred one is given them


class FileDrop(Strict, frozen=True):
    """A folder that gets every report as a file, beside the LIS: an archive, or an interface engine that watches it."""

    name: str
    folder: str
    links: list[str] = []  # as for a destination
    tests: list[str] = []
    retry_base: float = 2.0
    retry_cap: float = 300.0


class Destination(Strict, frozen=True):
    """A further receiver over MLLP, beside the LIS: a regional server, a register, a research database."""

    name: str
    connect: str
    tls: Tls | None = None
    facility: str = ""
    dialect: str = "ltw"
    links: list[str] = []  # only what came on these lines; empty = all
    tests: list[str] = []  # only these LOINC codes; empty = all
    ack_timeout: float = 30.0
    retry_base: float = 2.0
    retry_cap: float = 300.0
    attempts: int = 50
