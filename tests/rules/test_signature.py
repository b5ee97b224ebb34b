"""Signatures: read strictly, written so that they read back the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import PackError
from rules.signature import Signature, as_toml, read_signatures

GOOD = Signature("small", "1", "sha256:" + "0a" * 32, "Dr A", "biologist", datetime(2026, 1, 1, tzinfo=UTC), "agreed")


def read(path: Path, text: str) -> tuple[Signature, ...]:
    file = path / "signatures.toml"
    file.write_text(text, encoding="utf-8")
    return read_signatures(file)


def test_an_empty_file_signs_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == ()


@given(
    who=st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), min_size=1),
    reason=st.just('say "yes" \\ \t\x7f'),
    hours=st.integers(-12, 12),
)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, who: str, reason: str, hours: int
) -> None:
    if not who.strip():
        who = "Dr A"
    at = datetime(2026, 1, 1, 8, 30, tzinfo=timezone(timedelta(hours=hours)))
    one = Signature(
        "small", "1", GOOD.hash, who.strip(), "biologist", at, reason.strip(), ("2823-3", "718-7"), ("P-1",), ("883-9",)
    )
    assert read(tmp_path_factory.getbasetemp(), as_toml(one) + as_toml(GOOD)) == (one, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[[signature]]", "[[signatures]]", "did you mean 'signature'"),
        ("[[signature]]", "[[signature", "cannot be read"),
        ("sha256:", "md5:", "is not a hash"),
        ('role = "biologist"', 'role = "technician"', "known are biologist"),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00", "with its offset"),
        ('who = "Dr A"', 'who = ""', "is not a text"),
        ('reason = "agreed"', "", "reason: is missing"),
        ('reason = "agreed"', 'reason = "agreed"\nwhere = "here"', "is not a known key"),
    ],
)
def test_every_mistake(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = as_toml(GOOD)
    assert old in text
    with pytest.raises(PackError, match=what) as caught:
        read(tmp_path, text.replace(old, new))
    assert "signatures.toml" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no such file"):
        read_signatures(tmp_path / "none.toml")
    with pytest.raises(PackError, match="cannot be read"):
        read_signatures(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(PackError, match="cannot be read"):
        read_signatures(tmp_path / "x.toml")
