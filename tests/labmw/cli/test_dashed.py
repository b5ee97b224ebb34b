"""Identifiers that begin with a dash reach the command as they stand on the tube; options stay options."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from labmw.cli import load
from labmw.cli.dashed import taking_dashed
from labmw.cli.options import Tongue

SEEN: list[tuple[object, ...]] = []


def run(*words: str, dashed: bool = True) -> int:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.callback()
    def group() -> None:
        """A group."""

    @app.command()
    def show(
        specimen: Annotated[str, typer.Argument()],
        tests: Annotated[list[str] | None, typer.Argument()] = None,
        lot: Annotated[str, typer.Option("--lot", "-l")] = "",
        as_json: Annotated[bool, typer.Option("--json")] = False,
        language: Annotated[Tongue, typer.Option("--language")] = Tongue.EN,
    ) -> None:
        assert isinstance(language, Tongue)
        SEEN.append((specimen, tests or [], lot, as_json))

    command = typer.main.get_command(app)
    try:
        (taking_dashed(command) if dashed else command).main(["show", *words])
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (("-123",), ("-123", [], "", False)),
        (("-12l34", "-K", "--json"), ("-12l34", ["-K"], "", True)),
        (("-", "-9", "K"), ("-", ["-9", "K"], "", False)),
        (("-7", "--lot", "-8"), ("-7", [], "-8", False)),
        (("-7", "-l", "-8"), ("-7", [], "-8", False)),
        (("--", "--json"), ("--json", [], "", False)),
        (("--", "-l"), ("-l", [], "", False)),
    ],
)
def test_an_identifier_that_begins_with_a_dash(words: tuple[str, ...], seen: tuple[object, ...]) -> None:
    SEEN.clear()
    assert run(*words) == 0
    assert [seen] == SEEN


def test_without_it_such_a_tube_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-123", dashed=False) == 2
    assert "No such option" in capsys.readouterr().err


def test_what_looks_like_an_option_is_one_and_the_remedy_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--123") == 2
    assert "--123" in (told := capsys.readouterr().err) and "write -- before it" in told


def test_every_command_that_wants_an_identifier_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`labmw result show -123` fails for want of a configuration, not of an option."""
    with pytest.raises(SystemExit):
        load("result").main(["show", "-123", "--config", "/nowhere/labmw.toml"])
    told = capsys.readouterr().err
    assert "No such option" not in told and "/nowhere/labmw.toml" in told
