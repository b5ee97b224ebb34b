"""Is what is wrong with a configuration said in the reader's language, with file, key and remedy?"""

from __future__ import annotations

from pathlib import Path

import pytest

from labmw.config import load
from labmw.errors import ConfigError
from labmw.phrases import said

HEAD = '[site]\nid = "T"\n'
LINK = '[[link]]\nname = "one"\nlisten = "127.0.0.1:4001"\n'


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ('[site]\nid = "a b"\n', "site.id : a b n'est pas un identifiant"),
        (f'{HEAD}timezone = "Europe/Pariss"\n', "n'est pas un fuseau horaire"),
        (f'{HEAD}{LINK}connect = "x:1"\n', "a ceci : listen, connect"),
        (f'{HEAD}{LINK}protocol = "law"\n', "nommer le pilote"),
        (f'{HEAD}{LINK}tls = {{ trusted = "ca.pem" }}\n', "qui écoute en montre un"),
        (f'{HEAD}{LINK}tls = {{ certificate = "c.pem", trusted = "ca.pem", warn_days = -1 }}\n', "-1 est hors limites"),
        (f'{HEAD}[limits]\nmessage_bytes = 1\n', "limits.message_bytes : 1 est hors limites ; donner un nombre de 1024"),
        (f'{HEAD}{LINK}colour = "red"\n', "voir deploy/labmw.toml, où chaque clé est expliquée"),
        ("site = [", "n'est pas du TOML"),
    ],
)  # fmt: skip
def test_it_is_said_in_french(text: str, french: str, tmp_path: Path) -> None:
    file = tmp_path / "labmw.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        load(file)
    assert french in said(wrong.value, "fr")
    assert said(wrong.value, "fr").startswith(f"{file} : ")
    assert said(wrong.value, "en").startswith(f"{file}: ")
