"""Did the analyzer set one of these flags beside the value?"""

from __future__ import annotations

from dataclasses import dataclass

from labmw.model import Flag
from rules.checks.finding import About, Finding, Limits
from rules.kleene import word
from rules.strict import Table, nearest
from rules.subject import Subject


@dataclass(frozen=True, slots=True)
class FlagCheck:
    """A set of flags, in labmw's words."""

    flags: frozenset[Flag]
    name: str = "flag"
    numeric: bool = False
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "flags"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when one of the flags is set; never unknown, since no flag is a statement too."""
        found = " ".join(sorted(self.flags & one.case.result.flags))
        asked = " ".join(sorted(self.flags))
        detail = f"flags [{' '.join(sorted(one.case.result.flags))}] of [{asked}] -> {word(bool(found))}"
        return Finding(bool(found), "flag", (("value", one.shown), ("flags", found)) if found else (), detail)


def read_flag(table: Table, about: About) -> FlagCheck:
    """Read the keys of a flag rule."""
    remedy = "list flags in labmw's words"
    words = table.texts("flags", remedy)
    if not words:
        raise table.refuse("flags", "is missing", remedy)
    known = {flag.value for flag in Flag}
    for one in words:
        if one not in known:
            raise table.refuse("flags", f"{one!r} is not a flag", nearest(one, known))
    return FlagCheck(frozenset(Flag(one) for one in words))
