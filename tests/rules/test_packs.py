"""Which packs judge: signed as they are; a signed one that broke, changed or is there twice holds what it would have judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labmw.errors import PackError
from labmw.model import VerdictLevel
from rules.engine import critical, judge
from rules.load import Broken
from rules.pack import NOTHING, Packs, load, load_all, signed
from rules.signature import Signature
from tests.rules.cases import ALL_RULES, FLAG, HEAD, LIMITS, NOON, K, case, sign, write


def test_unsigned_judges_nothing(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    packs = Packs.of([pack], ())
    assert packs.active == ()
    assert [(one.pack, one.code, one.holds) for one in packs.inactive] == [("small", "pack-unsigned", frozenset())]
    assert packs.plan(K) is NOTHING
    assert [one.code for one in judge(case(), packs).reasons] == ["no-rule"]


def test_signed_judges(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    packs = Packs.of([pack], sign(pack))
    assert packs.active == (pack,)
    assert packs.inactive == ()
    assert packs.analytes[K].alias == "K"
    assert judge(case(), packs).level is VerdictLevel.RELEASE
    assert judge(case(), packs).packs == (pack.name,)


def test_altered_after_signing_holds_even_what_another_pack_would_release(tmp_path: Path) -> None:
    strict, other = (
        write(tmp_path / "strict"),
        load(write(tmp_path / "other", HEAD.replace('"small"', '"other"') + "".join(ALL_RULES))),
    )
    signed = load(strict)
    altered = load(write(strict, HEAD.replace("Petit", "petit") + "".join(ALL_RULES)))
    packs = Packs.of([altered, other], (*sign(signed), *sign(other)))
    assert [pack.id for pack in packs.active] == ["other"]
    assert dict(packs.inactive[0].facts)["who"] == "Dr A"
    verdict = judge(case(), packs)
    assert (verdict.level, [one.code for one in verdict.reasons]) == (VerdictLevel.HOLD, ["pack-altered"])


def test_another_version_under_the_same_hash_is_not_signed(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    wrong = [replace(one, version="2") for one in sign(pack)]
    assert Packs.of([pack], wrong).inactive[0].code == "pack-altered"
    assert Packs.of([pack], (*wrong, *sign(pack))).active == (pack,)


def test_the_last_signature_is_told(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    first = replace(sign(pack)[0], hash="sha256:" + "0" * 64, who="Dr Z")
    last = replace(first, who="Dr B", at=NOON.replace(year=2027))
    assert dict(Packs.of([pack], (last, first)).inactive[0].facts)["who"] == "Dr B"


def test_broken_holds_only_when_it_was_meant_to_judge(tmp_path: Path) -> None:
    other = load(write(tmp_path / "other", HEAD.replace('"small"', '"other"') + "".join(ALL_RULES)))
    signature = sign(load(write(tmp_path / "small")))
    write(tmp_path / "small", HEAD + "oops")
    packs, broken = load_all([tmp_path])
    assert [one.pack for one in broken] == ["small"]
    unsigned = Packs.of(packs, sign(other), broken)
    assert judge(case(), unsigned).level is VerdictLevel.RELEASE
    assert unsigned.broken == broken
    meant = Packs.of(packs, (*sign(other), *signature), broken)
    verdict = judge(case(), meant)
    assert (verdict.level, [one.code for one in verdict.reasons]) == (VerdictLevel.HOLD, ["pack-broken"])
    assert "is not TOML" in dict(verdict.reasons[0].facts)["error"]


def test_a_broken_pack_alone_holds_its_tests_and_no_others(tmp_path: Path) -> None:
    broken = Broken("f", PackError("f: oops; mend it"), "small", frozenset({K}))
    packs = Packs.of([], [replace(one, pack="small") for one in sign(load(write(tmp_path)))], [broken])
    assert {one.code for one in judge(case(), packs).reasons} == {"pack-broken", "no-rule"}
    assert {one.code for one in judge(case(loinc="718-7"), packs).reasons} == {"no-rule"}


def test_two_packs_of_one_name_are_both_stopped(tmp_path: Path) -> None:
    one, two = load(write(tmp_path / "a")), load(write(tmp_path / "b", HEAD + "".join(ALL_RULES[:3])))
    packs = Packs.of([one, two], sign(one, two))
    assert packs.active == ()
    assert [why.code for why in packs.inactive] == ["pack-twice", "pack-twice"]
    assert "pack-twice" in {reason.code for reason in judge(case(), packs).reasons}


def test_signed_but_gone_is_told() -> None:
    packs = Packs.of([], [Signature("gone", "1", "sha256:" + "0" * 64, "Dr A", "biologist", NOON, "r")])
    assert [(one.pack, one.code) for one in packs.inactive] == [("gone", "pack-missing")]


def test_several_packs_judge_one_test_and_all_are_named(tmp_path: Path) -> None:
    one = load(write(tmp_path / "a"))
    narrow = LIMITS.replace("3.0,5.5", "3.0,5.0")
    two = load(write(tmp_path / "b", HEAD.replace('"small"', '"two"') + "".join(ALL_RULES), narrow))
    packs = Packs.of([one, two], sign(one, two))
    assert judge(case("5.2"), packs).reasons[0].rule == "two/LIMIT"
    assert judge(case(), packs).packs == (one.name, two.name)


def test_a_pack_for_other_tests_does_not_judge_this_one(tmp_path: Path) -> None:
    other = HEAD.replace('"2823-3"', '"718-7"').replace('"small"', '"other"').replace('limits = "limits.csv"\n', "")
    pack = load(write(tmp_path / "a"))
    words = load(write(tmp_path / "b", other + 'words = ["X"]\n' + FLAG, None))
    packs = Packs.of([pack, words], sign(pack, words))
    assert judge(case(), packs).packs == (pack.name,)
    assert set(packs.analytes) == {K, "718-7"}


def test_a_lost_pack_holds_what_its_signature_names(tmp_path: Path) -> None:
    other = load(write(tmp_path / "other", HEAD.replace('"small"', '"other"') + "".join(ALL_RULES)))
    lost = signed(load(write(tmp_path / "small")), who="Dr A", at=NOON, reason="r")
    assert lost.tests == (K,)
    packs = Packs.of([other], (*sign(other), lost))
    assert [reason.code for reason in judge(case(), packs).reasons] == ["pack-missing"]
    empty = Broken("f", PackError("f: oops; mend it"), "small", frozenset())
    assert [reason.code for reason in judge(case(), Packs.of([other], (*sign(other), lost), [empty])).reasons] == [
        "pack-broken"
    ]


def test_a_pack_whose_name_is_gone_may_be_any_that_is_missing(tmp_path: Path) -> None:
    other = load(write(tmp_path / "other", HEAD.replace('"small"', '"other"') + "".join(ALL_RULES)))
    nameless = Broken("f", PackError("f: oops; mend it"), "LIMIT", frozenset({K}))
    missing = sign(load(write(tmp_path / "small")))
    assert not judge(case(), Packs.of([other], (*sign(other), *missing), [nameless])).released
    assert judge(case(), Packs.of([other], sign(other), [nameless])).released


def test_a_stopped_pack_still_alerts(tmp_path: Path) -> None:
    signature = sign(load(write(tmp_path)))
    altered = load(write(tmp_path, HEAD.replace("Petit", "petit") + "".join(ALL_RULES)))
    packs = Packs.of([altered], signature)
    found = critical(case("6.3"), packs)
    assert found is not None
    assert found.code == "critical"
    assert critical(case("4.2"), packs) is None
    assert (
        critical(case("6.3"), Packs.of([altered], ())) is None
    )  # never signed: an example, not a rule of this laboratory


def test_a_pack_named_twice_by_the_configuration_is_one_pack(tmp_path: Path) -> None:
    write(tmp_path / "small")
    packs, broken = load_all([tmp_path, tmp_path / "small"])
    assert (len(packs), broken) == (1, ())


def test_the_one_who_answers_signed_this_content_and_not_another(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    own = sign(pack)[0]
    later = replace(own, who="Dr B", at=NOON.replace(year=2027))
    other = replace(own, who="Dr C", hash="sha256:" + "0" * 64, at=NOON.replace(year=2028))
    assert Packs.of([pack], (other, own)).signers == {pack.name: "Dr A"}
    assert Packs.of([pack], (other, later, own)).signers == {pack.name: "Dr B"}
