"""What `labmw check` and `labmw status` say of the archive: whether it can be used, and whether somebody has read it through."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stage import Stage, empty

from labmw.config import Config, Retention, Site
from labmw.config import Store as StoreOfConfig
from labmw.store.archive.folder import ArchiveFolder
from labmw.watch.archive import archive

NOW = datetime(2032, 1, 15, 8, 0, tzinfo=UTC)
MOVE = "INSERT INTO archive_move (site, name, kind, state, began_at, by) VALUES ('TEST', ?, 'patient', ?, '', '')"
PIECE = "INSERT INTO archive_piece (site, move, class, state, rows) VALUES ('TEST', 1, 'results', 'moved', 3)"
LOOKED = "INSERT INTO audit (site, at, who, what, subject, why, detail) VALUES ('TEST', ?, 'qa', 'archive-verified', 'archive', '', ?)"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    shutil.copy(empty(), tmp_path / "labmw.db")
    return Stage(tmp_path, 0, 0)


def said(stage: Stage, *, folder: bool = True) -> list[tuple[str, str]]:
    place = str(stage.folder / "archive") if folder else ""
    config = Config(
        site=Site(id="TEST"),
        store=StoreOfConfig(url=f"sqlite:///{stage.database}"),
        retention=Retention(archive_folder=place),
    )
    found = [(one.weight.value, one.code) for one in archive(config, NOW)]
    for one in archive(config, NOW):
        assert "…" not in one.sentence("en") + one.sentence("fr")
    return found


def test_its_folder_can_be_used_or_it_is_said_why_not(stage: Stage) -> None:
    assert said(stage, folder=False) == []
    assert said(stage) == [("error", "archive-folder-missing")]
    (stage.folder / "archive").mkdir()
    assert said(stage) == [("good", "archive-empty")]
    stage.write([(MOVE, ("a", "moved")), (PIECE, ())])
    assert said(stage, folder=False) == [("error", "archive-folder-unset")]


def test_a_folder_that_may_not_be_written_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.folder / "archive").mkdir(mode=0o500)
    if os.geteuid() == 0:  # to root nothing is forbidden
        monkeypatch.setattr(os, "access", lambda path, mode: mode & os.W_OK == 0)
    assert said(stage) == [("error", "archive-folder-shut")]


def test_who_has_read_it_through_and_when(stage: Stage) -> None:
    (stage.folder / "archive").mkdir()
    stage.write([(MOVE, ("a", "moved")), (PIECE, ())])
    assert said(stage) == [("warning", "archive-never-verified")]
    stage.write([(LOOKED, ("2030-06-01T08:00:00.000000Z", '{"faults": 0}'))])
    assert said(stage) == [("warning", "archive-verified-long-ago")]
    stage.write([(LOOKED, ("2032-01-01T08:00:00.000000Z", '{"faults": 2}'))])
    assert said(stage) == [("error", "archive-found-faulty")]
    stage.write([(LOOKED, ("2032-01-02T08:00:00.000000Z", '{"faults": 0}'))])
    assert said(stage) == [("good", "archive-good")]


def test_what_was_cut_off_is_told_but_not_while_a_command_is_at_it(stage: Stage) -> None:
    (stage.folder / "archive").mkdir()
    stage.write([(MOVE, ("b", "writing"))])
    with ArchiveFolder(stage.folder / "archive").held():
        assert said(stage) == [("good", "archive-empty")]
    assert said(stage) == [("warning", "archive-begun"), ("good", "archive-empty")]
