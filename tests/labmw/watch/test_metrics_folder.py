"""The folder of counts is fresh at each start, never costs anybody a file, and forgets the gauges of the dead."""

from __future__ import annotations

from pathlib import Path

from labmw.watch.metrics_folder import forget, prepare


def test_it_stands_beside_the_store_and_is_emptied_of_counts_alone(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "labmw.db")
    assert folder == tmp_path / "labmw.db.metrics"
    for name in ("counter_7.db", "gauge_mostrecent_7.db", "notes.txt"):
        (folder / name).touch()
    assert prepare(tmp_path / "labmw.db") == folder
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


def test_where_nothing_can_be_made_it_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "labmw.db.metrics").write_text("a file of somebody's")
    folder = prepare(tmp_path / "labmw.db")
    assert folder.is_dir() and folder.parent != tmp_path
    folder.rmdir()
    assert (tmp_path / "labmw.db.metrics").read_text() == "a file of somebody's"


def test_a_dead_process_leaves_its_counters_and_not_its_gauges(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "labmw.db")
    for name in ("counter_7.db", "gauge_mostrecent_7.db", "gauge_mostrecent_77.db", "histogram_7.db"):
        (folder / name).touch()
    forget(folder, 7)
    assert sorted(file.name for file in folder.iterdir()) == [
        "counter_7.db",
        "gauge_mostrecent_77.db",
        "histogram_7.db",
    ]
