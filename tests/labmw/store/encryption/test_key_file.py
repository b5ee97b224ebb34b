"""The key file: made once, for its owner alone, and refused with the remedy when it cannot be trusted; its secret is in no sentence."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from labmw.errors import StoreError
from labmw.store.encryption.key_file import fresh, read, write

AT = "2026-11-26T08:00:00.000000Z"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    keys = (fresh(AT), fresh(AT))
    file = tmp_path / "keys" / "store.key"
    write(file, keys[:1], new=True)
    assert file.stat().st_mode & 0o777 == 0o600
    write(file, keys)
    assert read(file) == keys
    assert list(file.parent.iterdir()) == [file]
    assert base64.b64encode(keys[0].secret).decode() not in repr(keys)
    with pytest.raises(StoreError, match="never overwritten"):
        write(file, keys, new=True)
    assert read(file) == keys


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"where its copy is kept.*store key new"):
        read(tmp_path / "store.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_can_open_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "store.key"
    write(file, [fresh(AT)])
    file.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        read(file)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('secret = "', 'secret = "AAAA'),
        lambda text: text.replace("[[key]]", "[key]"),
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "key = []\n",
        lambda text: "\x00" + text,
        lambda text: text + "#" * 70_000,
        lambda text: text.replace('name = "', 'name = "0'),
    ],
)
def test_a_damaged_file_is_refused_without_its_secret(damage: object, tmp_path: Path) -> None:
    file, key = tmp_path / "store.key", fresh(AT)
    write(file, [key])
    assert callable(damage)
    file.write_text(damage(file.read_text()))
    with pytest.raises(StoreError, match="its copy in its place") as caught:
        read(file)
    secret = base64.b64encode(key.secret).decode()
    chain: BaseException | None = caught.value
    while chain is not None:
        assert secret not in str(chain)
        chain = chain.__cause__


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written"):
        write(tmp_path / "keys" / "store.key", [fresh(AT)])


def test_a_credential_of_the_same_name_is_read_instead_and_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, copy = tmp_path / "store.key", tmp_path / "credentials" / "store.key"
    write(copy, [fresh(AT)])
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "other"))
    with pytest.raises(StoreError, match="there is no key file"):
        read(file)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(copy.parent))
    copy.chmod(0o440)  # as systemd's access list shows
    assert len(read(file)) == 1
    with pytest.raises(StoreError, match="service manager"):
        write(file, [fresh(AT)])
    copy.chmod(0o444)
    with pytest.raises(StoreError, match="chmod 600"):
        read(file)
