import signal
import subprocess
import sys

import pytest

# Asked to stop while an object is cleared away, which is where an exception goes no further.
INTERRUPTED = """
import signal, sys, time
from studio.workspace.stopping import heed_stop_requests
heed_stop_requests()
class Cleared:
    def __del__(self):
        signal.raise_signal(int(sys.argv[1]))
        time.sleep(0)
try:
    Cleared()
    time.sleep(60)
finally:
    print("cleaned up")
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)],
)
def test_a_request_to_stop_that_python_lost_is_repeated(number, status):
    words = [sys.executable, "-c", INTERRUPTED, str(int(number))]
    # A shell that starts something in the background has Ctrl-C ignored.
    ended = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (ended.returncode, ended.stdout) == (status, "cleaned up\n")
    assert "Exception ignored" not in ended.stderr


def test_other_exceptions_that_go_no_further_are_told_as_python_tells_them():
    program = INTERRUPTED.replace("signal.raise_signal(", "bytes.fromhex(")
    program = program.replace("time.sleep(60)", "pass")
    ended = subprocess.run(
        [sys.executable, "-c", program, "7"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "Exception ignored" in ended.stderr
    assert "TypeError" in ended.stderr


def test_a_request_within_a_function_that_sqlite_calls_comes_once_that_is_done():
    program = """
import signal, sqlite3, sys, time
from studio.workspace.stopping import heed_stop_requests, undisturbed
heed_stop_requests()
@undisturbed
def called(value):
    signal.raise_signal(signal.SIGTERM)
    return value + 1
db = sqlite3.connect(":memory:")
db.create_function("called", 1, called)
print(db.execute("SELECT called(1)").fetchone()[0], flush=True)
time.sleep(60)
"""
    words = [sys.executable, "-c", program]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, "2\n")
    assert "OperationalError" not in ended.stderr
