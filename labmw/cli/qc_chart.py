"""How does a Levey-Jennings chart look in a terminal? One column per control, one line per half SD, and each mark says what it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

MARKS = {"in-control": "●", "warning": "▲", "out": "✕", "unjudged": "?"}
EXCLUDED = "○"
TOP = 4  # SD shown above and below the mean; what lies further away stands at the edge as ↑ or ↓
WIDTH = 72  # points; the newest are kept


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a chart."""

    day: str
    z: float
    state: str
    excluded: bool = False
    restart: bool = False  # a corrective action, or another lot, came before it

    @property
    def sign(self) -> str:
        """The mark it makes."""
        if abs(self.z) > TOP + 0.25:
            return "↑" if self.z > 0 else "↓"
        return EXCLUDED if self.excluded else MARKS[self.state]


def chart(marks: Sequence[Mark], mean: Decimal | None, sd: Decimal | None, middle: str) -> list[str]:
    """Return the lines of a chart, top first; without mean and SD the scale is in SD alone; `middle` is the word for the mean."""
    shown = list(marks)[-WIDTH:]
    places = [max(-2 * TOP, min(2 * TOP, round(2 * mark.z))) for mark in shown]
    labels = {step: _label(step, mean, sd, middle) for step in range(-2 * TOP, 2 * TOP + 1)}
    wide = max(len(label) for label in labels.values())
    lines = []
    for step in range(2 * TOP, -2 * TOP - 1, -1):
        ground = "─" if step == 0 else "┄" if step in (-6, -4, 4, 6) else " "
        row = "".join(
            mark.sign if place == step else "│" if mark.restart and ground == " " else ground
            for mark, place in zip(shown, places, strict=True)
        )
        lines.append(f"{labels[step]:>{wide}} {'┼' if step in (-6, -4, 0, 4, 6) else '│'}{row}".rstrip())
    if shown:
        first, last = shown[0].day, shown[-1].day
        gap = max(1, len(shown) - len(first) - len(last))
        lines.append(" " * (wide + 2) + (f"{first}{' ' * gap}{last}" if first != last else first))
    return lines


def _label(step: int, mean: Decimal | None, sd: Decimal | None, middle: str) -> str:
    if step % 2 or step in (-2 * TOP, 2 * TOP):
        return ""
    name = middle if step == 0 else f"{step // 2:+d} SD"
    if mean is None or sd is None:
        return name
    places = max(-int(mean.as_tuple().exponent), -int(sd.as_tuple().exponent), 0)
    return f"{mean + sd * step / 2:.{places}f}  {name:>{max(5, len(middle))}}"
