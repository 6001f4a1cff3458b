import sqlite3
import subprocess
import sys

import pytest

from studio.runs.events import list_events, record_event
from studio.workspace.database import MIGRATIONS, find_changes, open_database
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.row_seals import add_seals, seal_row


def test_a_new_database_has_all_migrations(tmp_path):
    with open_database(tmp_path / "studio.db") as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"


def test_a_failed_transaction_leaves_nothing(tmp_path):
    insert = "INSERT INTO events (run, kind, text, created_at) VALUES ('city', 'x', 'y', 0)"

    def fail_halfway():
        with open_database(tmp_path / "studio.db") as db:
            db.execute(insert)
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    with open_database(tmp_path / "studio.db") as db:
        assert db.execute("SELECT count(*) FROM events").fetchone()[0] == 0


def test_a_damaged_database_is_a_sentence(tmp_path):
    (tmp_path / "studio.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(EXPECTED_ERRORS, match="damaged"), open_database(tmp_path / "studio.db"):
        raise AssertionError("it opened")


def test_a_newer_database_is_refused(tmp_path):
    db = sqlite3.connect(tmp_path / "studio.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with (
        pytest.raises(EXPECTED_ERRORS, match="newer version"),
        open_database(tmp_path / "studio.db"),
    ):
        raise AssertionError("it opened")


CHANGES = {
    "events": "text = 'another'",
    "specimens": "number = 8",
    "jobs": "done = 5",
    "pins": "batch = 4",
    "changes": "value = '0.5'",
    "former_names": "former = 'town'",
}


@pytest.fixture
def filled(tmp_path):
    """A database with two rows in each table."""
    with open_database(tmp_path / "studio.db") as db:
        for number in (1, 2):
            db.execute(
                "INSERT INTO events (run, kind, text, created_at) VALUES ('city', 'x', 'y', 0)"
            )
            db.execute(
                "INSERT INTO specimens (run, batch, number, z, origin, created_at) "
                "VALUES ('city', 1, ?, x'00ff', 'fixed', 7)",
                (number,),
            )
            db.execute(
                "INSERT INTO jobs (command, status, created_at, pid_created_at) "
                "VALUES ('[]', 'done', 7, 8)"
            )
            db.execute(
                "INSERT INTO changes (run, name, value, before, asked_at) "
                "VALUES ('city', 'ema', '0.9', '0.8', 7)"
            )
            db.execute("INSERT INTO former_names (run, former) VALUES ('city', ?)", (str(number),))
        pins = [("city", batch, 7) for batch in (1, 2)]
        db.executemany("INSERT OR IGNORE INTO pins (run, batch, created_at) VALUES (?, ?, ?)", pins)
    return tmp_path / "studio.db"


def test_rows_are_sealed_whatever_writes_them(filled):
    with open_database(filled) as db:
        db.execute("UPDATE OR IGNORE pins SET run = 'town', created_at = 9 WHERE batch = 1")
        db.execute("UPDATE jobs SET status = 'failed', note = ? WHERE id = 1", ("\u00e9",))
        for table in CHANGES:
            assert db.execute(f"SELECT count(*), count(seal) FROM {table}").fetchone()[:] == (2, 2)
    assert find_changes(filled) == []


@pytest.mark.parametrize("table", CHANGES)
def test_a_row_that_nobody_here_wrote_is_found(filled, table):
    with sqlite3.connect(filled) as db:
        db.execute(f"UPDATE {table} SET {CHANGES[table]} WHERE rowid = 2")
    assert find_changes(filled) == [f"row 2 of the table {table} has changed since it was written"]


def test_tables_that_are_not_as_they_were_made_are_found(filled):
    with sqlite3.connect(filled) as db:
        db.execute("DROP INDEX events_of_run")
    assert find_changes(filled) == ["its tables are not as they were made"]


def make_older(path, last):
    """A database as it was when a migration was the last."""
    done = MIGRATIONS[: MIGRATIONS.index(last) + 1]
    with sqlite3.connect(path) as db:
        for migration in done:
            migration(db)
        db.execute(f"PRAGMA user_version = {len(done)}")


def test_the_rows_of_an_older_version_are_sealed_as_they_are(tmp_path):
    path = tmp_path / "studio.db"
    make_older(path, MIGRATIONS[MIGRATIONS.index(add_seals) - 1])
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO pins VALUES ('city', 3, 7)")
    assert find_changes(path) == []
    with open_database(path) as db:
        assert db.execute("SELECT count(seal) FROM pins").fetchone()[0] == 1


def test_a_seal_that_was_broken_stays_broken_when_it_comes_to_cover_more(tmp_path):
    path = tmp_path / "studio.db"
    make_older(path, add_seals)
    with sqlite3.connect(path) as db:
        db.create_function("seal_row", -1, seal_row)
        columns = "run, batch, number, z, origin, starred, created_at, name"
        db.execute(
            f"INSERT INTO specimens ({columns}, seal) SELECT run, batch, column1, z, origin, "
            "starred, created_at, name, CASE column1 WHEN 3 THEN NULL ELSE seal_row(run, batch, "
            "column1, z, origin, starred, created_at, name) END FROM (VALUES (1), (2), (3)), "
            "(SELECT 'city' run, 1 batch, x'00ff' z, 'fixed' origin, 0 starred, 7.0 created_at, "
            "'' name)"
        )
        db.execute("UPDATE specimens SET z = x'01ff' WHERE number = 2")
    assert find_changes(path) == ["row 2 of the table specimens has changed since it was written"]
    with open_database(path) as db:
        assert db.execute("SELECT count(seal) FROM specimens").fetchone()[0] == 2
    with sqlite3.connect(path) as db:
        db.execute("UPDATE specimens SET note = 'mine' WHERE number = 1")
    assert len(find_changes(path)) == 2


WRITER = """
import sys
from studio.runs.events import record_event
from studio.workspace.paths import Workspace
for number in range(25):
    record_event(Workspace.open(sys.argv[1]), "city", number, "x", sys.argv[2])
"""


def test_several_processes_write_at_once(empty_workspace):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(empty_workspace.root), str(i)])
        for i in range(3)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert len(list_events(empty_workspace, "city")) == 75


def test_events_come_newest_first(empty_workspace):
    record_event(empty_workspace, "city", 1, "started", "training began")
    record_event(empty_workspace, "city", 9, "stopped", "stopped at batch 9")
    record_event(empty_workspace, "town", 1, "started", "training began")
    assert [event.kind for event in list_events(empty_workspace, "city")] == ["stopped", "started"]


def test_a_workspace_that_cannot_be_written_to_says_how_to_work_elsewhere(tmp_path):
    def write():
        with open_database(tmp_path / "studio.db") as db:
            db.execute("PRAGMA query_only = ON")
            db.execute("DELETE FROM jobs")

    with pytest.raises(EXPECTED_ERRORS, match=r"cannot be written to.*--workspace FOLDER"):
        write()
