"""What was worked out once from a text on the wire, kept within bounds: a sender that never repeats itself must not fill the memory."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")

MOST = 4096  # texts; more than the menu of any analyzer
LONGEST = 400  # characters of a text that is kept; longer ones are worked out each time


class Kept(dict[str, Value]):
    """Values by the text they were worked out from."""

    __slots__ = ()

    def keep(self, text: str, value: Value) -> Value:
        """Keep a value and give it back."""
        if len(text) <= LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[text] = value
        return value
