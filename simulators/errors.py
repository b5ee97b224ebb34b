"""What can go wrong in the simulators, on one screen; each message ends with what to do about it."""

from __future__ import annotations


class SimulatorError(Exception):
    """What went wrong, where, and the remedy."""


class ScenarioError(SimulatorError):
    """A scenario cannot be played: file, key and remedy are in the message."""

    def __init__(self, file: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {key}: {problem}; {remedy}" if key else f"{file}: {problem}; {remedy}")


class WireLost(SimulatorError):
    """The other side has hung up; the analyzer keeps what was not acknowledged and dials again."""


class HungUpOnPurpose(WireLost):
    """The scenario wanted the analyzer to hang up here; it resumes after its pause."""
