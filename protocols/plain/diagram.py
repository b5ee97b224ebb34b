"""What does the machine of a plain link look like, drawn from its own table?

python -m protocols.plain.diagram tags|maglumi|stx|au|pk prints the drawing as Mermaid text for the documentation.
"""

import sys

from protocols.plain.links import LINKS
from protocols.plain.states import Input, State, Table

_WITHOUT = frozenset({Input.HANG_UP})
"""Left out of the drawings: from every state to NEUTRAL."""


def mermaid(table: Table) -> str:
    """The transitions as a Mermaid state diagram, one arrow for each pair of states, its inputs and actions on it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, happened), (action, following) in table.items():
        if happened not in _WITHOUT:
            label = f"{happened.name.lower()} / {action}".replace("_", " ")
            arrows.setdefault((state, following), []).append(label)
    lines = ["stateDiagram-v2", f"    [*] --> {State.NEUTRAL.name}"]
    for (state, following), labels in arrows.items():
        lines.append(f"    {state.name} --> {following.name}: {'<br>'.join(labels)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(mermaid(LINKS[sys.argv[1]].table), end="")  # noqa: T201 (the drawing is this command's output)
