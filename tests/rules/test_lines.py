"""Do errors name the right line of a page of TOML?"""

from __future__ import annotations

import pytest

from rules.lines import line_of

PAGE = """[pack]
id = "x"
title.en = "X"

[analytes.K]
loinc = ["2823-3"]  # [[rule]] in a comment

[[rule]]
id = "A"
when = "K > 1"
[[rule.test]]
name = "one"
given = { value = "1" }

[[rule]] # the second
id = "B"
  when = "K > 2"
[[rule.test]]
name = "one"
[[rule.test]]
name = "two"
given = { value = "1", with = { K = "2" } }
message.en = "x"
"""


@pytest.mark.parametrize(
    ("where", "key", "line"),
    [
        ("rule[1] (A)", "when", 10), ("rule[2] (B)", "when", 17), ("rule[2] (B).test[2] (two)", "given", 22), ("rule[2] (B).test[2] (two).given", "with", 22),
        ("rule[1] (A).test[1] (one)", "name", 12), ("pack", "title.en", 3), ("analytes.K", "loinc", 6), ("rule[2] (B)", "verdict", 15), ("", "pack", None), ("rule[3]", "id", None),
        ("rule[2] (B).test[2] (two)", "message.en", 23),
    ],
)  # fmt: skip
def test_lines(where: str, key: str, line: int | None) -> None:
    assert line_of(PAGE, where, key) == line
