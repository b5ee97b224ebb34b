"""Is the panel complete? A result waits for those that belong to it and were asked for, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rules.analyte import Analyte
from rules.checks.finding import About, Finding, Limits
from rules.checks.options import read_span, tests
from rules.strict import Table
from rules.subject import Subject

AFTERWARDS = ("hold", "release")


@dataclass(frozen=True, slots=True)
class PanelCheck:
    """The tests that belong together, how long they wait for each other, and what becomes of the rest then."""

    needs: tuple[Analyte, ...]
    timeout: timedelta
    afterwards: str
    name: str = "panel"
    numeric: bool = False
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "lacking", "hours"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire while something is lacking; after the timeout too, unless the rest may leave alone then."""
        case = one.case
        shown = (("value", one.shown),)
        if case.ordered is None:
            return Finding(None, "no-orders", shown, "what was asked for is not known")
        here = {r.loinc for r in (case.result, *case.siblings) if r.main and not r.problem}
        lacking = [
            analyte.alias
            for analyte in self.needs
            if not case.ordered.isdisjoint(analyte.loincs) and here.isdisjoint(analyte.loincs)
        ]
        if not lacking:
            return Finding(False, "panel-incomplete", (), "complete")
        hours = f"{self.timeout / timedelta(hours=1):g}"
        told = (*shown, ("lacking", " ".join(lacking)), ("hours", hours))
        late = case.now is not None and case.received is not None and case.now - case.received >= self.timeout
        detail = f"lacking {' '.join(lacking)}; timeout {hours} h {'over' if late else 'not over'}"
        if late:
            return Finding(self.afterwards == "hold", "panel-timeout", told, detail)
        return Finding(True, "panel-incomplete", told, detail)


def read_panel(table: Table, about: About) -> PanelCheck:
    """Read the keys of a panel rule."""
    return PanelCheck(tests(table, "needs", about), read_span(table, "timeout"), table.word("afterwards", AFTERWARDS))
