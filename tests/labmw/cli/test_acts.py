"""Does every command that lets something go ask for a role, say whose roles may, and write nothing without one?"""

from __future__ import annotations

import pytest
from stage import ALT, Stage, free_port
from typer.testing import CliRunner

from labmw.cli import root
from labmw.phrases import say

WHY = ("--why", "seen")
ACTS = [  # the command, and the act that it asks for
    (("quarantine", "assign", "1", "S1", *WHY), "quarantine"),
    (("quarantine", "discard", "1", *WHY), "quarantine"),
    (("quarantine", "replay", *WHY), "quarantine"),
    (("outbox", "retry", "1", *WHY), "deliver"),
    (("outbox", "hold", "1", *WHY), "deliver"),
    (("outbox", "close", "1", *WHY), "deliver"),
    (("outbox", "route", "1", "--to", "LIS", *WHY), "deliver"),
    (("outbox", "redeliver", "--from", "2026-01-01", "--to", "2026-01-02", "--send", *WHY), "deliver"),
    (("alert", "close", "1", *WHY), "call"),
    (("retention", "hold", "P1", *WHY), "retention"),
    (("retention", "release", "P1", *WHY), "retention"),
    (("interlab", "send", "1", "--result", "1", *WHY), "biological"),
    (("interlab", "send", "1"), "order"),
    (("interlab", "send", "T1", "--to", "SPE", "--test", ALT), "order"),
    (("interlab", "send", "1", "--item", "consent", "--text", "yes"), "order"),
    (("interlab", "cancel", "1", *WHY), "order"),
    (("lis", "order", "T1", "--patient", "P1", "--birth", "1970-01-01", "--test", ALT), "order"),
    (("link", "accept", "analyzer", "--reason", "seen"), "accept"),
    (("lookback", "close", "1", "--all", *WHY), "recall"),
    (("order", "cancel", "AWOS-1"), "order"),
    (("order", "again", "AWOS-1"), "order"),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A laboratory in which one person may do everything, and another only say that a measurement is sound."""
    made = Stage(tmp_path_factory.mktemp("acts"), free_port(), free_port()).build(["S1"])
    text = made.config.read_text(encoding="utf-8").partition("[roles.tester]")[0]
    roles = (("chief", sorted({act for _, act in ACTS}), "Dr Chief"), ("night", ["technical"], "N."))
    tables = "".join(f'[roles.{name}]\nmay = {may}\npeople = ["{who}"]\n' for name, may, who in roles)
    listens = text.replace("[lis]", f'[lis]\nlisten = "127.0.0.1:{free_port()}"')
    made.config.write_text(listens + tables, encoding="utf-8")
    return made


def run(stage: Stage, words: tuple[str, ...], by: str, language: str = "en") -> tuple[int, str]:
    done = CliRunner().invoke(root(), [*words, "--by", by, "--config", str(stage.config), "--language", language])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(("words", "act"), ACTS, ids=lambda one: " ".join(one[:2]) if isinstance(one, tuple) else one)
def test_without_a_role_nothing_is_done_and_the_roles_that_may_are_named(
    stage: Stage, words: tuple[str, ...], act: str
) -> None:
    before = stage.ask("SELECT count(*) FROM audit")
    for language in ("en", "fr"):
        code, said = run(stage, words, "N.", language)
        told = say("rights-refused", language, who="N.", act=say(f"act-{act}", language), roles="chief")
        assert (code, told in said) == (1, True), said
    assert stage.ask("SELECT count(*) FROM audit") == before
    assert "has no role that may" not in run(stage, words, "Dr Chief")[1]


def test_without_a_role_table_nobody_may(stage: Stage) -> None:
    bare = stage.folder / "bare.toml"
    bare.write_text(stage.config.read_text(encoding="utf-8").partition("[roles.chief]")[0], encoding="utf-8")
    done = CliRunner().invoke(root(), [*ACTS[2][0], "--config", str(bare), "--language", "en"])
    assert (done.exit_code, "[roles]" in done.output) == (1, True), done.output
