"""On which line of a page of TOML does a key stand? For the error that a person has to find; None where it cannot be told."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[(\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?")
_STEP = re.compile(r"([A-Za-z0-9_-]+)(?:\[(\d+)\](?: \([^)]*\))?)?(?:\.|$)")


def line_of(text: str, where: str, key: str) -> int | None:
    """Return the line, counted from 1, of a key under a place as errors name it: `rule[3] (K-EDTA).test[1]`."""
    lines = text.splitlines()
    start, end, name, inside = 0, len(lines), "", ""
    for step, number in _STEP.findall(where):
        name = f"{name}.{step}" if name else step
        headers = [at for at in range(start, end) if _header(lines[at]) == (name, bool(number))]
        nth = int(number or 1)
        if len(headers) < nth:  # the first half of a dotted header, or written inside a line, as in given = { ... }
            inside = inside or step
            continue
        inside = ""
        start = headers[nth - 1] + 1
        end = next((at for at in range(start, end) if _leaves(lines[at], name)), end)
    return _key(lines, start, end, inside or key) or start or None


def _header(line: str) -> tuple[str, bool] | None:
    match = _HEADER.fullmatch(line)
    return (match[2], bool(match[1])) if match else None


def _leaves(line: str, name: str) -> bool:
    header = _header(line)
    return header is not None and not header[0].startswith(f"{name}.")


def _key(lines: list[str], start: int, end: int, key: str) -> int | None:
    wanted = re.compile(rf"\s*{re.escape(key.partition('.')[0])}\s*[.=]")
    return next((at + 1 for at in range(start, end) if wanted.match(lines[at])), None)
