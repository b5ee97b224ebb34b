"""Packs from their files: what is accepted, and every mistake refused with file, place and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import PackError
from labmw.model import VerdictLevel
from rules.load import LARGEST, load, load_all
from tests.rules.cases import ABSURD, ALL_RULES, CRITICAL, DELTA, FLAG, HEAD, HEADER, LIMIT, LIMITS, UNIT, write

WHOLE = HEAD + "".join(ALL_RULES)
NO_TABLE = HEAD.replace('limits = "limits.csv"\n', "")
TWO = HEAD + '[analytes.L]\nloinc = ["718-7"]\nname.en = "L"\nname.fr = "L"\n'


def test_a_whole_pack(tmp_path: Path) -> None:
    pack = load(write(tmp_path / "small"))
    assert [rule.id for rule in pack.rules] == ["LIMIT", "CRITICAL", "ABSURD", "DELTA", "HIL", "FLAG"]
    assert pack.rules[2].verdict is VerdictLevel.BLOCK
    assert pack.rules[0].if_missing is VerdictLevel.HOLD
    assert pack.loincs == {"2823-3"}
    assert pack.title["fr"] == "Petit"
    assert re.fullmatch(r"small@1#[0-9a-f]{12}", pack.name)
    assert load(tmp_path / "small" / "pack.toml").hash == pack.hash


def test_the_hash_is_over_what_the_pack_says_not_how_it_is_typed(tmp_path: Path) -> None:
    first = load(write(tmp_path / "a")).hash
    french = LIMITS.replace(",", ";").replace("3.0;5.5", "3,0;5,5").replace("2.8;6.2;1.5", "2,80;6,2;1,5")
    typed = WHOLE.replace('id = "LIMIT"', '# a comment\nid   =   "LIMIT"')
    assert load(write(tmp_path / "b", typed, french)).hash == first
    for toml, csv in (
        (WHOLE.replace('version = "1"', 'version = "2"'), LIMITS),
        (WHOLE.replace("limit = 20", "limit = 19.9"), LIMITS),
        (WHOLE.replace('fr = "Potassium"', 'fr = "Kaliémie"'), LIMITS),
        (WHOLE.replace("made up", "made up by us"), LIMITS),
        (WHOLE, LIMITS.replace("6.2", "6.25")),
        (WHOLE, LIMITS.replace("12,here", "12.5,here")),
    ):
        assert load(write(tmp_path / "c", toml, csv)).hash != first


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    folder = write(tmp_path)
    file = folder / "pack.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    load(folder)


def test_sources_may_be_told_column_by_column(tmp_path: Path) -> None:
    head = HEAD.replace('here = "made up"', 'here = "made up"\nthere = "too"')
    csv = LIMITS.replace(",here", ",lim=here crit_lo=there crit_hi=here abs=there")
    load(write(tmp_path, head + "".join(ALL_RULES), csv))


def test_exemptions_and_drivers(tmp_path: Path) -> None:
    exempt = '[[rule.exempt]]\nwards = ["DIAL"]\nreason.en = "dialysis"\nreason.fr = "dialyse"\n[[rule.test]]'
    critical = CRITICAL.replace("[[rule.test]]", 'drivers = ["acme-x100"]\n' + exempt, 1)
    pack = load(write(tmp_path, HEAD + LIMIT + critical + ABSURD))
    assert pack.rules[1].exemptions[0].scope.wards == {"DIAL"}
    assert pack.rules[1].scope.drivers == {"acme-x100"}


def test_words_only_need_no_limits(tmp_path: Path) -> None:
    head = NO_TABLE + 'words = ["NEGATIVE"]\n'
    pack = load(write(tmp_path, head + FLAG, csv=None))
    assert pack.analytes["K"].words == {"NEGATIVE"}


def change(old: str, new: str, text: str = WHOLE) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("toml", "where", "what"),
    [
        (change("[pack]", "[pack"), "pack.toml", "is not TOML"),
        (change("limit = 20", "limit = " + "9" * 5000), "pack.toml", "is not TOML"),
        ("a = " + "[" * 5000 + "]" * 5000, "pack.toml", "is not TOML"),
        (change("[pack]", "[pakc]"), "pack", "begin with [pack]"),
        (change('id = "small"', 'id = "not small"'), "pack.id", "is not an identifier"),
        (change('id = "small"', "id = 5"), "pack.id", "is not a text"),
        (change('version = "1"\n', ""), "pack.version", "is missing"),
        (change('title.fr = "Petit"\n', ""), "pack.title.fr", "translate it"),
        (change('title.fr = "Petit"', 'title.fr = "Petit"\ntitle.de = "Klein"'), "pack.title.de", "is not a known key"),
        (change('authors = ["A"]', 'author = ["A"]'), "pack.author", "did you mean 'authors'"),
        (change("[sources]", "[source]"), "sources", "cite where the numbers come from"),
        (change('limits = "limits.csv"', 'limits = "../limits.csv"'), "pack.limits", "is not beside the pack"),
        (change('limits = "limits.csv"', "limits = '..\\limits.csv'"), "pack.limits", "is not beside the pack"),
        (change('limits = "limits.csv"', 'limits = "other.csv"'), "other.csv", "put it beside the pack"),
        (change('loinc = ["2823-3"]', 'loinc = ["2823-4"]'), "analytes.K.loinc", "check digit"),
        (change('loinc = ["2823-3"]\n', ""), "analytes.K.loinc", "is missing"),
        (WHOLE + '[analytes.K2]\nloinc = ["2823-3"]\nname.en = "K"\nname.fr = "K"\n', "analytes.K2.loinc", "belongs to K too"),
        (TWO + "".join((LIMIT, CRITICAL, ABSURD)).replace('value = ', 'analyte = "K", value = '), "rule LIMIT", "needs lim limits of L"),
        (change("[analytes.K]", "[analytes]\n[other]"), "analytes", "name at least one test"),
        (change('name.fr = "Potassium"', 'nom.fr = "Potassium"'), "analytes.K.name.fr", "translate it"),
        (HEAD + CRITICAL + DELTA, "limits.csv: line 2", "the lim limits of K are used by no rule"),
        (NO_TABLE + FLAG, "analytes.K", "no criterion by which it could be released"),
        (WHOLE + "[extra]\n", "extra", "is not a known key"),
        (change('check = "limit"', 'check = "limits"'), "rule[1] (LIMIT).check", "did you mean 'limit'"),
        (change('check = "limit"', 'check = "import os"'), "rule[1] (LIMIT).check", "known are"),
        (change('verdict = "hold"', 'verdict = "comment"'), "rule[1] (LIMIT).verdict", "would let the result go"),
        (change('verdict = "hold"', 'verdict = "release"'), "rule[1] (LIMIT).verdict", "known are"),
        (change('if_missing = "hold"', 'if_missing = "ignore"'), "rule[4] (DELTA).if_missing", "known are"),
        (change('if_missing = "hold"', 'if_mising = "hold"'), "rule[4] (DELTA).if_mising", "did you mean 'if_missing'"),
        (change('id = "CRITICAL"', 'id = "LIMIT"'), "rule[2] (LIMIT).id", "is used twice"),
        (change('message.fr = "{value} déclenché"\n', ""), "rule[1] (LIMIT).message.fr", "translate it"),
        (change("{value} déclenché", "{valeur} déclenché"), "rule[1] (LIMIT).message.fr", "{valeur} is not known here"),
        (change("{value} déclenché", "{value.__class__}"), "rule[1] (LIMIT).message.fr", "stands for nothing"),
        (change("{value} déclenché", "{value"), "rule[1] (LIMIT).message.fr", "stands for nothing"),
        (change("[[rule.test]]", 'analytes = ["NA"]\n[[rule.test]]'), "rule[1] (LIMIT).analytes", "is no analyte"),
        (change("[[rule.test]]", 'drivers = ["x"]\n[[rule.test]]'), "rule[1] (LIMIT).drivers", "without limits"),
        (change("[[rule.test]]", '[[rule.exempt]]\nreason.en = "a"\nreason.fr = "b"\n[[rule.test]]'), "exempt[1].wards", "is missing"),
        (change("[[rule.test]]", '[[rule.exempt]]\nwards = ["A"]\nreason.en = "a"\n[[rule.test]]'), "exempt[1].reason.fr", "translate it"),
        (change('source = "here"', 'source = "there"'), "rule DELTA.source", "is not in [sources]"),
        (change('source = "here"\n', ""), "rule[4] (DELTA).source", "starting point"),
        (change("[[rule.test]]", "[[rule.tests]]"), "rule[1] (LIMIT).tests", "did you mean 'test'"),
        (HEAD + CRITICAL + ABSURD + re.sub(r"\[\[rule.test\]\](.|\n)*", "", LIMIT), "rule LIMIT", "has no example in which it fires"),
        (HEAD + CRITICAL + ABSURD + LIMIT.split("[[rule.test]]\nname = \"passes\"")[0], "rule LIMIT", "has no example in which it does not fire"),
        (change('expect = "hold"', 'expect = "release"'), "rule[1] (LIMIT).test[1] (fires)", "comes out as hold"),
        (change('expect = "hold"', 'expect = "held"'), "rule[1] (LIMIT).test[1] (fires).expect", "did you mean 'hold'"),
        (change('value = "5.6"', "value = 5.6"), "given.value", "write it as a text"),
        (change(f'value = "5.6", {UNIT}', 'value = "5.6"'), "given.unit", "is missing"),
        (change(f'value = "5.6", {UNIT}', 'value = "5.6", unit = "mmole"'), "given.unit", "is not a unit"),
        (change('value = "5.6"', 'value = "5.6", agee = "4y"'), "given.agee", "did you mean 'age'"),
        (change('value = "5.6"', 'value = "5.6", age = "40"'), "given.age", "is not an age"),
        (change('value = "5.6"', 'value = "5.6", age = "2000y"'), "given.age", "is not an age"),
        (change('value = "5.6"', 'value = "5.6", sex = "X"'), "given.sex", "known are F, M, U"),
        (change('value = "5.6"', 'value = "5.6", analyte = "NA"'), "given.analyte", "known are K"),
        (change('value = "5.6"', 'value = "5.6", flags = ["hihg"]'), "given.flags", "did you mean 'high'"),
        (change('value = "5.6"', 'value = "5.6", history = "none"'), "given.history", "unavailable"),
        (change('value = "5.6"', 'value = "5.6", H = "x"'), "given.H", "is not a number"),
        (change('before = "24h"', 'before = "1 day"'), "previous.before", "is not a time span"),
        (change('previous = { value = "4.0"', 'previous = { value = "none"'), "previous.value", "an earlier result"),
        (change('before = "24h"', 'before = "24h", lab = "X"'), "previous.lab", "is not a known key"),
    ],
)  # fmt: skip
def test_every_mistake_of_the_page(tmp_path: Path, toml: str, where: str, what: str) -> None:
    with pytest.raises(PackError) as caught:
        load(write(tmp_path, toml))
    assert str(tmp_path) in str(caught.value)
    assert where in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "csv", "where", "what"),
    [
        ((LIMIT, ABSURD), LIMITS, "limits.csv: line 2", "the crit limits of K are used by no rule"),
        ((LIMIT, CRITICAL), LIMITS, "limits.csv: line 2", "the abs limits of K are used by no rule"),
        ((LIMIT, CRITICAL, ABSURD), LIMITS.replace("2.8,6.2", ","), "rule CRITICAL", "needs crit limits of K"),
        ((LIMIT, CRITICAL, ABSURD), LIMITS.replace("3.0,5.5", ","), "rule LIMIT", "needs lim limits of K"),
        (
            (LIMIT, CRITICAL, ABSURD),
            LIMITS + "K,*,,,DIAL,*,mmol/L,,,2.8,,,,here\n",
            "limits.csv: line 3",
            "has no release limit",
        ),
        (
            (LIMIT, CRITICAL, ABSURD),
            LIMITS.replace("here", "somewhere"),
            "limits.csv: line 2",
            "'somewhere' is not in [sources]",
        ),
        (
            (LIMIT, CRITICAL, ABSURD),
            LIMITS.replace("here", "limit=here"),
            "limits.csv: line 2",
            "'limit=here' is not in [sources]",
        ),
        ((LIMIT, CRITICAL, ABSURD), LIMITS.replace("here", "!"), "limits.csv: line 2", "'!' is not in [sources]"),
        (
            (LIMIT, CRITICAL, ABSURD),
            LIMITS.replace("here", "lim=here abs=here crit_lo=here"),
            "limits.csv: line 2",
            "where crit_hi comes from",
        ),
    ],
)
def test_every_mistake_between_page_and_table(
    tmp_path: Path, rules: tuple[str, ...], csv: str, where: str, what: str
) -> None:
    with pytest.raises(PackError) as caught:
        load(write(tmp_path, HEAD + "".join(rules), csv))
    assert where in str(caught.value)
    assert what in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no such file"):
        load(tmp_path / "nothing.toml")
    (tmp_path / "pack.toml").mkdir()
    with pytest.raises(PackError, match="cannot be read"):
        load(tmp_path)
    for data, what in ((b"\xff\xfe", "is not UTF-8"), (b"#" * (LARGEST + 1), "keep a pack under")):
        file = tmp_path / "x.toml"
        file.write_bytes(data)
        with pytest.raises(PackError, match=what):
            load(file)


def test_a_broken_pack_stops_itself_alone(tmp_path: Path) -> None:
    write(tmp_path / "good")
    write(tmp_path / "worse", change('id = "small"', 'id = "other"').replace('check = "limit"', 'check = "x"'))
    write(tmp_path / "csv", HEADER, HEADER + "718-7,*\n")
    packs, broken = load_all([tmp_path])
    assert [pack.id for pack in packs] == ["small"]
    assert [(one.pack, sorted(one.loincs)) for one in broken] == [("csv", ["718-7"]), ("other", ["2823-3"])]
    assert "rule[1] (LIMIT).check" in str(broken[1].error)


def test_a_path_without_a_pack_is_broken_too(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        packs, broken = load_all([path])
        assert packs == ()
        assert broken[0].loincs == frozenset()
        assert "there is no such file" in str(broken[0].error)


def test_a_mistake_of_ours_stops_one_pack_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a")

    def fail(path: Path) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("rules.load.load", fail)
    packs, broken = load_all([tmp_path / "a"])
    assert packs == ()
    assert "ZeroDivisionError: oops" in str(broken[0].error)
    assert broken[0].loincs == {"2823-3"}


@given(st.data())
def test_a_page_cut_or_changed_anywhere_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(WHOLE) - 1))
    text = data.draw(st.sampled_from(["", '"', "\n", "[", "0", "é", "}"]))
    folder = write(
        tmp_path_factory.getbasetemp() / "fuzz", WHOLE[:place] + text + WHOLE[place + data.draw(st.integers(0, 3)) :]
    )
    packs, broken = load_all([folder])
    assert len(packs) + len(broken) == 1
    assert all("cannot be used" not in str(one.error) for one in broken)
