"""Help and what is said of a wrong usage are in the reader's language, and whole on a terminal of 80 columns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from labmw.cli import COMMANDS, Commands, load, root
from labmw.cli.help_page import Told
from labmw.cli.tongue import LARGEST, of_help, terminal
from labmw.config import Site

FRENCH = {"LANG": "fr_FR.UTF-8"}
SITE = '[site]\nid = "lab"\n'
LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG", "LABMW_CONFIG", "COLUMNS")


@pytest.fixture(autouse=True)
def terminal_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LOCALES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def told(*words: str, env: dict[str, str] | None = None) -> str:
    """What labmw says to a command line, on standard output and standard error."""
    return CliRunner().invoke(root(), list(words), prog_name="labmw", env=env).output


# --- which language ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "fr_FR", "LC_MESSAGES": "en_US"}, "en"),
        ({"LANG": "en_US", "LC_ALL": "fr_CA"}, "fr"),
        ({"LANG": "fr_FR", "LC_ALL": ""}, "fr"),
    ],
)
def test_the_terminal_speaks_as_its_locale_says(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], language: str
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert terminal() == language
    assert of_help(()) == language


@pytest.mark.parametrize(
    ("words", "language"),
    [
        (["outbox", "--language", "fr", "--help"], "fr"),
        (["outbox", "--language=fr"], "fr"),
        (["outbox", "-l", "fr"], "fr"),
        (["outbox", "-lfr"], "fr"),
        (["outbox", "-l", "fr", "-l", "en"], "en"),
        (["outbox", "-l"], "en"),
        (["outbox", "-l", "de"], "en"),
        (["outbox", "--", "-l", "fr"], "en"),
    ],
)
def test_the_command_line_comes_before_the_terminal(words: list[str], language: str) -> None:
    assert of_help(words) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (SITE + 'language = "fr"', "fr"),
        (SITE + 'language = "en"', "en"),
        (SITE, Site("lab").language),
        (SITE + 'language = "de"', None),
        ("site = 3", None),
        ("[store]", None),
        ("[site", None),
        (SITE + 'name = "\udce9"', None),
        ("# " + "x" * LARGEST, None),
    ],
)
def test_the_configured_site_comes_before_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, language: str | None
) -> None:
    file = tmp_path / "labmw.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    for locale, spoken in (("fr_FR", "fr"), ("en_US", "en")):
        monkeypatch.setenv("LANG", locale)
        monkeypatch.delenv("LABMW_CONFIG", raising=False)
        assert of_help(["status", "--config", str(file)]) == (language or spoken)
        assert of_help(["status", f"-c{file}"]) == (language or spoken)
        monkeypatch.setenv("LABMW_CONFIG", str(file))
        assert of_help(["status"]) == (language or spoken)
        assert of_help(["status", "-l", "en"]) == "en"


@pytest.mark.parametrize("place", ["absent.toml", ".", "nul\0l"])
def test_a_configuration_that_cannot_be_read_says_nothing(tmp_path: Path, place: str) -> None:
    assert of_help(["status", "--config", str(tmp_path / place)]) == "en"


# --- what is said --------------------------------------------------------------------------------------------------------


def test_the_list_of_commands_is_in_both_languages() -> None:
    assert "outbox      Show what has not arrived; send again, hold back." in told("--help")
    french = told("--help", env=FRENCH)
    assert "Usage : labmw [OPTIONS] COMMANDE [ARGUMENTS]...\n" in french
    assert "Commandes :\n" in french
    assert "outbox      Montrer ce qui n'est pas arrivé ; renvoyer, retenir." in french


def test_a_command_says_in_french_what_it_does_takes_and_ends_with() -> None:
    page = told("outbox", "retry", "--help", env=FRENCH)
    assert page.startswith("Usage : labmw outbox retry [OPTIONS] {numéro}\n")
    assert "mêmes octets sous le même numéro." in " ".join(page.split())
    assert "Codes de retour : 0 fait, 1 impossible à faire, ou aucun rôle" in page
    assert "[obligatoire]" in page
    assert "[variable d'environnement : LABMW_CONFIG]" in page
    assert "--help                  Afficher cette aide." in page


def test_a_group_that_is_called_alone_shows_its_help() -> None:
    assert "Commandes :\n  list " in told("outbox", env=FRENCH)
    assert "Commands:\n  list " in told("outbox")


@pytest.mark.parametrize(
    ("words", "english", "french"),
    [
        ("foo", "No such command 'foo'.", "commande inconnue : 'foo'"),
        (
            "outbox retr",
            "No such command 'retr'. Did you mean 'retry'?",
            "commande inconnue : 'retr' ; est-ce 'retry' ?",
        ),
        ("--foo", "No such option: --foo", "option inconnue : --foo"),
        ("outbox list --foo", "No such option: --foo", "option inconnue : --foo"),
        (
            "outbox show --jsn",
            "No such option: --jsn; if it is an identifier, write -- before it (Possible options: --json)",
            "option inconnue : --jsn ; si c'est un identifiant, écrire -- devant (options possibles : --json)",
        ),
        (
            "outbox show --foo",
            "No such option: --foo; if it is an identifier, write -- before it",
            "option inconnue : --foo ; si c'est un identifiant, écrire -- devant",
        ),
        ("outbox show", "Missing argument 'entry'.", "il manque l'argument 'numéro'"),
        ("outbox retry 3", "Missing option '--why'.", "il manque l'option '--why'"),
        ("outbox show 3 4", "Got unexpected extra argument(s) (4)", "argument(s) en trop (4)"),
        ("outbox list --most", "Option '--most' requires an argument.", "l'option '--most' demande une valeur"),
        ("outbox list --json=3", "Option '--json' does not take a value.", "l'option '--json' ne prend pas de valeur"),
        (
            "outbox list --most x",
            "Invalid value for '--most': Input should be a valid integer, unable to parse string as an integer",
            "valeur refusée pour '--most' : un nombre entier est attendu",
        ),
        (
            "outbox show x",
            "Invalid value for 'entry': Input should be a valid integer, unable to parse string as an integer",
            "valeur refusée pour 'numéro' : un nombre entier est attendu",
        ),
        (
            "order list --most 0",
            "Invalid value for '--most': Input should be greater than or equal to 1",
            "valeur refusée pour '--most' : au moins 1 est attendu",
        ),
        (
            "lis compare --grace x",
            "Invalid value for '--grace': Input should be a valid number, unable to parse string as a number",
            "valeur refusée pour '--grace' : un nombre est attendu",
        ),
        (
            "hl7 check /absent.hl7",
            "Invalid value for 'FILE...': file '/absent.hl7' does not exist",
            "valeur refusée pour 'FICHIER...' : le fichier '/absent.hl7' n'existe pas",
        ),
        (
            "decode /absent.astm",
            "Invalid value for FILE: there is no file /absent.astm",
            "valeur refusée pour FICHIER : il n'y a pas de fichier /absent.astm",
        ),
        (
            "decode . --timezone Mars",
            "Invalid value for --timezone: 'Mars' is not a time zone, such as Europe/Paris",
            "valeur refusée pour --timezone : 'Mars' n'est pas un fuseau horaire, comme Europe/Paris",
        ),
    ],
)
def test_a_wrong_usage_is_said_in_both_languages(words: str, english: str, french: str) -> None:
    said = told(*words.split())
    assert f"Error: {english}\n" in said
    said = told(*words.split(), env=FRENCH)
    assert f"Erreur : {french}\n" in said
    assert "Error" not in said
    assert "Usage:" not in said
    assert ("Pour l'aide : labmw" in said) == ("Usage : labmw" in said)


def test_a_wrong_language_is_said_in_the_terminals() -> None:
    assert "'de' is not one of 'en', 'fr'" in told("outbox", "list", "-l", "de")
    assert "'--language' / '-l' : 'de' n'est pas l'un de 'en', 'fr'" in told("outbox", "list", "-l", "de", env=FRENCH)


def test_a_configuration_that_is_not_named_is_asked_for_in_both_languages() -> None:
    assert told("outbox", "list") == "labmw: no configuration: give --config FILE, or set LABMW_CONFIG\n"
    french = told("outbox", "list", env=FRENCH)
    assert french == "labmw: pas de configuration : donner --config FICHIER, ou renseigner LABMW_CONFIG\n"


def test_what_somebody_typed_is_shown_as_typed() -> None:
    assert "commande inconnue : 'Commands {x} required'" in told("Commands {x} required", env=FRENCH)


# --- how it looks --------------------------------------------------------------------------------------------------------


def pages(command: Any, parent: typer.Context, path: str) -> Iterator[tuple[str, str]]:
    """The help of a command, and of every one below it."""
    context = Told(command, info_name=command.name, parent=parent)
    yield path, command.get_help(context)
    for name, one in getattr(command, "commands", {}).items():
        yield from pages(one, context, f"{path} {name}")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_whole_on_eighty_columns(language: str) -> None:
    top = typer.main.get_command(root())
    assert isinstance(top, Commands)
    top.words = ("-l", language)
    above = Told(top, info_name="labmw")
    seen = [("labmw", top.get_help(above))]
    for name in COMMANDS:
        seen += pages(load(name), above, f"labmw {name}")
    assert len(seen) > 150
    for path, page in seen:
        assert page.startswith("Usage : " if language == "fr" else "Usage: "), path
        for line in page.split("\n"):
            assert len(line) <= 80, f"{path}: {line}"
            assert not line.endswith("...") or line.endswith(("]...", "}...", "FILE...", "FICHIER...")), (
                f"{path}: cut: {line}"
            )
            assert language == "en" or not re.match(r"\s*[:;?!»]", line), f"{path}: a sign begins a line: {line}"


def test_the_french_is_loaded_for_french_help_alone() -> None:
    check = "import sys; from labmw.cli import main\ntry: main()\nexcept SystemExit: pass\nprint('labmw.cli.french' in sys.modules, 'tomllib' in sys.modules)"
    for locale, loaded in (("en_US", "False False"), ("fr_FR", "True True")):
        done = subprocess.run(
            [sys.executable, "-c", check, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LANG": locale, "PYTHONUTF8": "1"},
        )
        assert done.stdout.endswith(f"{loaded}\n")
