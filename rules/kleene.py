"""What is true, what is false, and what cannot be known? Three-valued logic: None is "unknown" and never quietly false."""

from __future__ import annotations

from collections.abc import Iterable

Truth = bool | None


def negation(a: Truth) -> Truth:
    """Not a: the unknown stays unknown."""
    return None if a is None else not a


def both(a: Truth, b: Truth) -> Truth:
    """A and b: one false decides, otherwise one unknown keeps it open."""
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a: Truth, b: Truth) -> Truth:
    """A or b: one true decides, otherwise one unknown keeps it open."""
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def agreement(truths: Iterable[Truth]) -> Truth:
    """Return what all of several possible worlds agree on; unknown when they differ, or when there is none."""
    found = set(truths)
    return found.pop() if len(found) == 1 else None


def word(truth: Truth) -> str:
    """Write a truth value as traces show it."""
    return "unknown" if truth is None else "true" if truth else "false"
