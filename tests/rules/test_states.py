"""From draft to retired: what holds when, what was kept goes on judging, a touched copy does not, and what loosens is seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labmw.errors import PackError
from rules.archive import keep, kept
from rules.load import Pack, load, load_all, written
from rules.loosening import loosens
from rules.pack import SHIPPED, Packs, signed
from rules.signature import Signature, add_signature, read_signatures

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / "chemistry", tmp_path / "chemistry"))


def change(folder: Path, old: str, new: str, file: str = "pack.toml") -> Pack:
    page = folder / file
    text = page.read_text(encoding="utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load(folder)


def active(pack: Pack, at: datetime = NOW, **different: object) -> Signature:
    return replace(signed(pack, who="Dr A", at=at, reason="test"), **different)  # type: ignore[arg-type]


def names(packs: Packs) -> list[str]:
    return [pack.version for pack in packs.active]


def test_reviewed_approved_and_read_put_nothing_in_force(folder: Path) -> None:
    pack = load(folder)
    for step in ("reviewed", "approved", "read"):
        packs = Packs.of([pack], [active(pack, step=step)], now=NOW)
        assert (names(packs), packs.inactive[0].code) == ([], "pack-unsigned")
    assert names(Packs.of([pack], [active(pack)], now=NOW)) == ["2026.3"]


def test_a_signature_holds_from_its_day_on(folder: Path) -> None:
    pack = load(folder)
    later = active(pack, effective=NOW + timedelta(days=1))
    assert names(Packs.of([pack], [later], now=NOW)) == []
    assert names(Packs.of([pack], [later], now=NOW + timedelta(days=1))) == ["2026.3"]


def test_retired_it_judges_nothing_and_can_come_back(folder: Path) -> None:
    pack = load(folder)
    gone = active(pack, NOW + timedelta(hours=1), step="retired")
    packs = Packs.of([pack], [active(pack), gone], now=NOW + timedelta(days=1))
    assert (names(packs), packs.inactive[0].code, packs.inactive[0].holds) == ([], "pack-retired", frozenset())
    assert not packs.plan("2823-3").packs, "what nobody judges is held by the guard"
    again = active(pack, NOW + timedelta(hours=2))
    assert names(Packs.of([pack], [active(pack), gone, again], now=NOW + timedelta(days=1))) == ["2026.3"]


def test_the_version_in_force_goes_on_when_the_folder_moves_on_or_breaks(folder: Path, tmp_path: Path) -> None:
    pack = load(folder)
    keep(tmp_path / "in-force", pack, written(folder))
    signatures = [active(pack)]
    versions, errors = kept(tmp_path / "in-force")
    assert ([one.hash for one in versions], errors) == ([pack.hash], ())
    newer = change(folder, 'version = "2026.3"', 'version = "2026.4"')
    packs = Packs.of([newer], signatures, kept=versions, now=NOW)
    assert (names(packs), packs.inactive[0].code, packs.inactive[0].holds) == (["2026.3"], "pack-waits", frozenset())
    assert packs.plan("2823-3").steps == Packs.of([pack], signatures).plan("2823-3").steps
    with pytest.raises(PackError):
        change(folder, 'check = "limit"', 'check = "limlt"')
    good, broken = load_all([folder])
    packs = Packs.of(good, signatures, broken, kept=versions, now=NOW)
    assert (names(packs), packs.inactive[0].code, packs.inactive[0].holds) == (["2026.3"], "pack-refused", frozenset())
    without = Packs.of(good, signatures, broken, now=NOW)
    assert names(without) == [] and without.inactive[0].holds, (
        "the variant: nothing was kept, so what it judged is held"
    )


def test_a_kept_version_that_was_touched_is_not_what_was_signed(folder: Path, tmp_path: Path) -> None:
    pack = load(folder)
    file = keep(tmp_path / "in-force", pack, written(folder))
    text = file.read_text(encoding="utf-8")
    for wrong in (
        text.replace("2026.3", "2026.9"),
        text.replace(pack.hash, "sha256:" + "0" * 64),
        text[: len(text) // 2],
        json.dumps([1, 2]),
        text.replace('"sheets"', '"sheetz"'),
        "",
    ):
        file.write_text(wrong, encoding="utf-8")
        versions, errors = kept(tmp_path / "in-force")
        assert versions == ()
        assert len(errors) == 1 and str(file) in str(errors[0])
    assert kept(tmp_path / "nowhere") == ((), ())


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
def test_every_shipped_pack_reads_back_as_it_was_kept(name: str, tmp_path: Path) -> None:
    pack = load(SHIPPED / name)
    keep(tmp_path, pack, written(SHIPPED / name))
    assert kept(tmp_path)[0][0].rules == pack.rules


def test_signatures_are_added_whole_and_read_back(folder: Path, tmp_path: Path) -> None:
    pack, file = load(folder), tmp_path / "signatures.toml"
    some = [
        active(pack, step="reviewed", role="technician"), active(pack, step="approved"),
        active(pack, second="Dr B", effective=NOW + timedelta(days=2)), active(pack, step="read"),
    ]  # fmt: skip
    for one in some:
        add_signature(file, one)
    assert list(read_signatures(file)) == some
    with pytest.raises(PackError):
        add_signature(tmp_path / "no" / "such" / "folder.toml", some[0])
    file.write_text(file.read_text(encoding="utf-8").replace('step = "approved"', 'step = "aproved"'), encoding="utf-8")
    with pytest.raises(PackError, match="did you mean 'approved'"):
        read_signatures(file)


@pytest.mark.parametrize(
    ("old", "new", "file", "told"),
    [
        ('title.en = "General', 'title.en = "Our', "pack.toml", ()),
        ("CL,*,18y,,*,*,mmol/L,90,115", "CL,*,18y,,*,*,mmol/L,91,114", "limits.csv", ()),
        ("K,*,18y,,*,*,mmol/L,3,5.5", "K,*,18y,,*,*,mmol/L,2.9,5.5", "limits.csv", ("lim_lo 3 -> 2.9",)),
        ("K,*,18y,,*,*,mmol/L,3,5.5,2.8,6.2", "K,*,18y,,*,*,mmol/L,3,5.5,2.7,6.2", "limits.csv", ("crit_lo 2.8 -> 2.7",)),
        ("K,*,18y,,*,*,mmol/L,3,5.5,2.8,6.2", "K,*,18y,,*,*,mmol/L,3,5.5,,6.2", "limits.csv", ("crit_lo 2.8 -> -",)),
        ("K,*,18y,,*,*", "K,*,16y,,*,*", "limits.csv", ("age 16y- ward * specimen *: new", "age 18y-")),
    ],
)  # fmt: skip
def test_what_loosens_is_seen(folder: Path, old: str, new: str, file: str, told: tuple[str, ...]) -> None:
    before = load(folder)
    after = change(folder, old, new, file)
    found = loosens(before, after)
    assert bool(found) == bool(told), found
    for words in told:
        assert any(words in one for one in found), found


def test_rules_that_come_go_or_change(folder: Path) -> None:
    pack = load(folder)
    delta = next(rule for rule in pack.rules if rule.check.name == "delta")
    limit = next(rule for rule in pack.rules if rule.check.name == "limit")
    without = replace(pack, rules=tuple(rule for rule in pack.rules if rule is not delta))
    assert loosens(pack, without) == (f"rule {delta.id}: removed",)
    assert loosens(without, pack) == ()
    no_limit = replace(pack, rules=tuple(rule for rule in pack.rules if rule is not limit))
    assert f"rule {limit.id}: new" in loosens(no_limit, pack), "without it nothing was released"
    assert loosens(None, pack) == ("first version",)
    from labmw.model import VerdictLevel

    def swapped(**different: object) -> Pack:
        return replace(pack, rules=tuple(replace(rule, **different) if rule is delta else rule for rule in pack.rules))  # type: ignore[arg-type]

    assert loosens(pack, swapped(verdict=VerdictLevel.BLOCK)) == ()
    assert loosens(pack, swapped(verdict=VerdictLevel.COMMENT))
    assert bool(loosens(swapped(if_missing=VerdictLevel.HOLD), swapped(if_missing=VerdictLevel.RELEASE)))
    assert not loosens(swapped(if_missing=VerdictLevel.RELEASE), swapped(if_missing=VerdictLevel.HOLD))
    assert loosens(pack, swapped(analytes=delta.analytes[:1])) if len(delta.analytes) > 1 else True
