"""Is a test asked for once more under the code that the laboratory's own mapping gives it, and is it said where it cannot be?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from askside import order, set_up
from lisside import labmw
from stage import ALT, Stage

from labmw.mapping.read import load as load_version
from labmw.mapping.signature import Signature, as_toml

PAGE = """
id = "LAB1"
version = "1"
author = "A. Martin"
from = 2026-01-01T00:00:00Z
[[analyte]]
id = "ALT"
name = "ALAT"
loinc = "1742-6"
unit = "U/L"
[[code]]
link = "analyzer"
code = "77"
analyte = "ALT"
[[code]]
link = "analyzer"
code = "ALT"
analyte = "-"
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A laboratory that calls ALT 77 on this analyzer, and one order of it that the analyzer has done."""
    made = set_up(tmp_path, extra='[mapping]\nfolder = "mapping"\nsignatures = "signed.toml"\n')
    (tmp_path / "mapping").mkdir()
    (tmp_path / "mapping" / "1.toml").write_text(PAGE, encoding="utf-8")
    one, at = load_version(tmp_path / "mapping" / "1.toml"), datetime(2026, 1, 2, tzinfo=UTC)
    both = (("Dr Petit", "biologist"), ("A. Martin", "technician"))
    signed = [Signature(one.id, one.version, one.hash, who, role, at, "compared") for who, role in both]
    (tmp_path / "signed.toml").write_text("".join(as_toml(each) for each in signed), encoding="utf-8")
    order(made, "S1")
    now = "2026-11-01T08:00:00.000000Z"
    given = (
        'INSERT INTO awos (site, awos, link, specimen, loinc, code, "order", state, created_at, updated_at) '
        "SELECT 'TEST', 'FIRST', 'analyzer', 'S1', ?, '77', id, 'resulted', ?, ? FROM \"order\""
    )
    made.write([(given, (ALT, now, now))])
    return made


def test_the_code_is_that_of_the_mapping(stage: Stage) -> None:
    assert "FIRST" in labmw(stage, "order", "again", "FIRST")
    assert stage.ask("SELECT code, state FROM awos ORDER BY id") == [("77", "resulted"), ("77", "planned")]


def test_what_cannot_be_asked_is_said_and_nothing_is_written(stage: Stage) -> None:
    whole = stage.config.read_text(encoding="utf-8")
    spoilt = {
        "no work": whole.replace('work = "asked"', ""),
        "no code": whole.replace('[mapping]\nfolder = "mapping"', "[mapping]"),
    }
    (stage.folder / "drivers" / "chem_x1.py").write_text(
        (stage.folder / "drivers" / "chem_x1.py").read_text().replace('"ALT": Test("1742-6", "U/L"), ', "")
    )
    for why, text in spoilt.items():
        stage.config.write_text(text, encoding="utf-8")
        for language, words in (("en", "cannot be asked for 77"), ("fr", "ne peut pas être demandé")):
            said = labmw(stage, "order", "again", "FIRST", code=1, language=language)
            assert words in " ".join(said.split()), why
    assert stage.ask("SELECT count(*) FROM awos") == [(1,)]
