import sqlite3
import subprocess
import sys

import pytest

from studio.runs.events import list_events, record_event
from studio.workspace.database import MIGRATIONS, open_database
from studio.workspace.errors import EXPECTED_ERRORS


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
