"""Has every reason its sentence? Codes that the program writes as literals where a reason belongs are looked up in the catalogue."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from labmw.phrases import codes

ROOT = Path(__file__).parents[2]

WHERE = {
    "say": 0, "trouble": 0, "well": 0, "Reason": 0, "Doubt": 0, "doubt": 0,
    "Finding": 1, "Inactive": 1, "Line": 1, "error": 1, "warning": 1, "good": 1,
    "Placement": 2,
}  # fmt: skip
"""Which argument of a call is a code."""


def spoken(source: str) -> Iterator[tuple[str, int]]:
    """Every literal that stands where a reason belongs, with its line: arguments of the calls above, and ("code", level or facts, ...)."""
    for node in ast.walk(ast.parse(source)):
        candidate: ast.expr | None = None
        if isinstance(node, ast.Call):
            # `log.error("a sentence", ...)` is a log, not a finding
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            logs = isinstance(node.func, ast.Attribute) and name in ("error", "warning")
            place = WHERE.get(name)
            if place is not None and not logs and len(node.args) > place:
                candidate = node.args[place]
        elif isinstance(node, ast.Tuple) and len(node.elts) in (2, 3) and _is_grounds(node.elts[1]):
            candidate = node.elts[0]
        yield from ((code, line) for code, line in _literals(candidate) if code)


def _is_grounds(node: ast.expr) -> bool:
    """A verdict's level, or facts: a tuple of pairs, as in ("unknown-code", (("test", code),))."""
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "VerdictLevel"
    return (
        isinstance(node, ast.Tuple)
        and bool(node.elts)
        and all(isinstance(one, ast.Tuple) and len(one.elts) == 2 for one in node.elts)
    )


def _literals(node: ast.expr | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def test_every_reason_has_its_sentence() -> None:
    found: set[str] = set()
    for folder in ("labmw", "rules"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code, line in spoken(path.read_text(encoding="utf-8")):
                assert code in codes(), f"{path.relative_to(ROOT)}:{line}: {code!r} has no sentence in labmw/phrases"
                found.add(code)
    expected = {
        "no-order",
        "unknown-code",
        "no-rule",
        "rerun",
        "pack-unsigned",
        "no-previous",
        "cannot-listen",
        "story-unknown",
    }
    assert expected <= found, "the search does not see what it should"


def test_a_reason_without_a_sentence_is_noticed() -> None:
    source = 'x = Finding(None, "no-such" if y else "flag")\nreturn_ = ("nobody-said", VerdictLevel.HOLD, ())\nlog.error("a sentence", why="x")\n'
    assert [code for code, _ in spoken(source) if code not in codes()] == ["no-such", "nobody-said"]
