"""What does the link's state machine look like, drawn from its own table?

python -m protocols.astm.diagram prints the drawing as Mermaid text for the documentation.
"""

from protocols.astm.table import TABLE, Input, State

_WITHOUT = frozenset({Input.HANG_UP})
"""Left out of the drawing: from every state to NEUTRAL."""


def mermaid() -> str:
    """The transitions as a Mermaid state diagram, one arrow for each pair of states, its inputs and actions on it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, happened), (action, following) in TABLE.items():
        if happened not in _WITHOUT:
            label = f"{happened.name.lower()} / {action}".replace("_", " ")
            arrows.setdefault((state, following), []).append(label)
    lines = ["stateDiagram-v2", f"    [*] --> {State.NEUTRAL.name}"]
    for (state, following), labels in arrows.items():
        lines.append(f"    {state.name} --> {following.name}: {'<br>'.join(labels)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(mermaid(), end="")  # noqa: T201 (the drawing is this command's output)
