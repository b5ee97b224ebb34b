"""Plain links in the configuration: what they need and what is of no use to them is named with file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from labmw.config import content_of, load
from labmw.errors import ConfigError
from protocols.plain.links import LINKS

HEAD = '[site]\nid = "LAB1"\n[lis]\nconnect = "127.0.0.1:2575"\n[[link]]\nname = "x"\nlisten = "127.0.0.1:4001"\n'


def write(folder: Path, link: str) -> Path:
    path = folder / "labmw.toml"
    path.write_text(HEAD + link, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("link", "content"),
    [
        ('protocol = "tags"', "tags"),
        ('protocol = "tags"\ndriver = "biomerieux-vidas"', "tags"),
        ('protocol = "maglumi"', "astm"),
        ('protocol = "stx"\ndriver = "arkray-spotchem-el"', "stx"),
        ('protocol = "stx"\nsenders = { "127.0.0.2" = "arkray-spotchem-el" }', "stx"),
        ('protocol = "au"\ndriver = "beckman-au"\ntolerances = { pause = 0.3 }', "au"),
        ('protocol = "pk"\ndriver = "any-plain"', "pk"),
    ],
)
def test_each_link_can_be_named(link: str, content: str, tmp_path: Path) -> None:
    (one,) = load(write(tmp_path, link)).link
    assert one.protocol in LINKS
    assert content_of(one) == content


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ('protocol = "stx"', "link[0] (x).driver"),
        ('protocol = "au"', "link[0] (x).driver"),
        ('protocol = "pk"', "link[0] (x).driver"),
        ('protocol = "tags"\nrole = "instrument"', "link[0] (x).role"),
        ('protocol = "au"\ndriver = "beckman-au"\nwork = "push"', "link[0] (x).work"),
        ('protocol = "beckman"', "link[0].protocol"),
    ],
)
def test_each_mistake_is_named(link: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, link))
    assert caught.value.key == key
    assert caught.value.remedy
