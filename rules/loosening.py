"""Does a new version let more go than the one before? What cannot be seen to be stricter counts as looser: it takes a second person."""

from __future__ import annotations

from collections.abc import Iterator

from labmw.model import VerdictLevel
from rules.action import ADDING
from rules.difference import Change, difference, row_key
from rules.load import Pack
from rules.vocabulary import SCOPES

_LEVELS = {"": -1, "pass": 0, **{level.name.lower(): int(level) for level in VerdictLevel}}
_SAID = frozenset({"message.en", "message.fr", "source", "version"})  # words, and where numbers come from
_OPENS = frozenset({"limit", "rerun"})  # checks without which nothing is released, so that a new one may release


def loosens(old: Pack | None, new: Pack) -> tuple[str, ...]:
    """Return what a new version may let go that the old one did not, in the words of `labmw rules diff`; empty when it is stricter throughout."""
    if old is None:
        return ("first version",)
    found = [f"test {loinc}" for loinc in sorted(new.loincs - old.loincs)]
    new_rules = {rule.id: rule for rule in new.rules}
    old_rules = {rule.id for rule in old.rules}
    old_rows = {f"limits {' '.join(row_key(row))}" for row in old.limits.rows}
    for change in difference(old, new):
        if change.what in _SAID and not change.where.startswith("limits"):
            continue
        kind, _, name = change.where.partition(" ")
        if kind == "analyte":
            found += _analyte(change)
        elif kind == "rule" and name not in old_rules:
            if new_rules[name].check.name in _OPENS:
                found.append(f"{change.where}: new")
        elif kind == "rule" and name not in new_rules:
            found.append(f"{change.where}: removed")
        elif kind == "rule":
            found += _rule(change)
        elif kind == "limits" and change.where not in old_rows:
            found.append(
                f"{change.where}: new"
            )  # it may be wider than the row that held before, or hold where none did
        elif kind == "limits":
            found += _limits(change)
    return tuple(dict.fromkeys(found))


def _rule(change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    if change.what in ("verdict", "if_missing"):
        stricter = _LEVELS[after] > _LEVELS[before]
    elif change.what == "exempt":
        stricter = set(after.split("; ")) - {""} < set(before.split("; "))
    elif change.what in ("wards", "drivers"):  # empty is everywhere
        stricter = not after or (bool(before) and set(before.split()) < set(after.split()))
    elif change.what == "scope":
        stricter = SCOPES.index(after or "result") > SCOPES.index(before or "result")
    elif change.what == "action":  # one more, unless it adds to the prescription
        more = set(after.split()) - set(before.split())
        stricter = set(before.split()) < set(after.split()) and not any(one.startswith(ADDING) for one in more)
    elif change.what == "analytes":
        stricter = set(before.split()) < set(after.split())
    else:
        stricter = False
    if not stricter:
        yield f"{change.where}: {change.what} {before or '-'} -> {after or '-'}"


def _analyte(change: Change) -> Iterator[str]:
    """Fewer words that may leave are stricter, and a class of tests that a person must see; new codes are told as tests."""
    before, after = change.before, change.after
    stricter = change.what == "loinc" or (change.what == "class" and not before)
    if change.what == "words":
        stricter = set(after.split(", ")) - {""} < set(before.split(", "))
    if not stricter:
        yield f"{change.where}: {change.what} {before or '-'} -> {after or '-'}"


def _limits(change: Change) -> Iterator[str]:
    """Between tighter limits fewer results leave; critical and impossible limits that are nearer stop more of them."""
    if change.what == "source":
        return
    stricter = False
    if change.after:
        before = None if not change.before else float(change.before)
        after = float(change.after)
        stricter = before is None or (after > before if change.what.endswith("_lo") else after < before)
    if not stricter:
        yield f"{change.where}: {change.what} {change.before or '-'} -> {change.after or '-'}"
