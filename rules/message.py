"""How does a pack speak? A sentence in every language, with facts in braces and nothing in it that is ever evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.strict import Table
from rules.subject import Facts
from rules.vocabulary import LANGUAGES, Language

_BRACES = re.compile(r"\{([A-Za-z0-9_]*)\}")

Message = Mapping[Language, str]


def fill(template: str, facts: Facts) -> str:
    """Put facts into the braces of a message; nothing else in it is ever evaluated."""
    known = dict(facts)
    return _BRACES.sub(lambda match: known.get(match[1], ""), template)


def read_message(table: Table, key: str, facts: frozenset[str]) -> Message:
    """Read a sentence in every language; its braces may only name the facts that the check brings."""
    inner = table.table(key, f'write {key}.en = "..." and {key}.fr = "..."')
    message: dict[Language, str] = {}
    for language in LANGUAGES:
        message[language] = text = inner.text(language, f"translate it: {key}.{language} = ...")
        for name in _BRACES.findall(text):
            if name not in facts:
                known = ", ".join(sorted(facts)) or "none"
                raise inner.refuse(language, f"{{{name}}} is not known here", f"known are {known}")
        if "{" in _BRACES.sub("", text) or "}" in _BRACES.sub("", text):
            raise inner.refuse(language, "has a brace that stands for nothing", "write {value}, with the braces closed")
    inner.done()
    return message
