"""Do errors name the right line of a page of TOML?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labmw.errors import PackError
from rules.lines import line_of
from rules.pack import SHIPPED, load

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


def test_what_is_wrong_with_a_pack_as_a_whole_names_its_line(tmp_path: Path) -> None:
    """An example that comes out otherwise, and a rule without one: nobody searches a page of five hundred lines for them."""
    for old, new, told in [
        ("H = 51", "H = 49", "comes out as release"),
        ('id = "TRANSAMINASES"', 'id = "TRANSAMINASES"\nscope = "sampel"', "sampel"),
    ]:
        folder = tmp_path / told.partition(" ")[0]
        shutil.copytree(SHIPPED / "chemistry", folder)
        page = folder / "pack.toml"
        text = page.read_text(encoding="utf-8")
        assert old in text
        page.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(PackError, match=rf"pack\.toml: line \d+, rule.*{told}"):
            load(folder)
