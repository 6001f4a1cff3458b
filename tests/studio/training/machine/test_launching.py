import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.training.machine.launching import launch

LAUNCH = """
import sys
from studio.training.machine.launching import launch
sys.exit(launch([sys.executable, *sys.argv[1:]], 2))
"""
SLEEPERS = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], os.environ["RANK"]).write_text(str(os.getpid()))
time.sleep(60)
"""
UNTIL_ASKED = """
import os, pathlib, sys, time
from studio.workspace.stopping import stop_requests
with stop_requests() as asked:
    file = pathlib.Path(sys.argv[1], os.environ["RANK"])
    file.touch()
    while not asked():
        time.sleep(0.05)
    time.sleep(0.5)  # a second request would end it here
    file.write_text("ended cleanly")
"""


def launch_script(script, *arguments, processes=2):
    return launch([sys.executable, "-c", script, *map(str, arguments)], processes)


def start(*words):
    """A launcher of its own, as `studio train --processes 2` is one."""
    return subprocess.Popen([sys.executable, "-c", LAUNCH, *map(str, words)])


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_each_process_has_the_environment_of_torchrun_and_stays_on_loopback(tmp_path):
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR"]
    names.append("GLOO_SOCKET_IFNAME")
    script = f"""
import os, pathlib, sys
values = [os.environ[name] for name in {names}]
pathlib.Path(sys.argv[1], values[0]).write_text(" ".join(values))
"""
    assert launch_script(script, tmp_path) == 0
    said = [(tmp_path / rank).read_text() for rank in "01"]
    assert said == ["0 0 2 2 127.0.0.1 lo", "1 1 2 2 127.0.0.1 lo"]


def test_only_the_main_process_is_heard(capfd):
    script = "import os, sys; print(os.environ['RANK']); print('!', file=sys.stderr)"
    assert launch_script(script, processes=3) == 0
    said = capfd.readouterr()
    assert (said.out, said.err) == ("0\n", "!\n")


def test_a_process_that_dies_ends_the_others_and_is_heard(capfd):
    script = """
import os, sys, time
if os.environ["RANK"] == "1":
    sys.exit("no room on the disk")
time.sleep(60)
"""
    began = time.monotonic()
    assert launch_script(script) == 1
    assert time.monotonic() - began < 30
    assert capfd.readouterr().err == "no room on the disk\n"


def test_a_process_that_is_killed_gives_the_status_of_its_signal():
    script = "import os; os.kill(os.getpid(), 9) if os.environ['RANK'] == '1' else None"
    assert launch_script(script) == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    "request_to_end", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_request_to_end_reaches_each_process_once(tmp_path, request_to_end):
    script = tmp_path / "script.py"
    script.write_text(UNTIL_ASKED)
    launcher = start(script, tmp_path)
    wait_until(lambda: all((tmp_path / rank).exists() for rank in "01"))
    launcher.send_signal(request_to_end)
    assert launcher.wait(60) == 0
    assert all((tmp_path / rank).read_text() == "ended cleanly" for rank in "01")


def test_processes_end_when_their_launcher_is_killed(tmp_path):
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    launcher = start(script, tmp_path)
    wait_until(lambda: all((tmp_path / rank).exists() for rank in "01"))
    wait_until(lambda: all((tmp_path / rank).read_text() for rank in "01"))
    pids = [int((tmp_path / rank).read_text()) for rank in "01"]
    assert all(map(is_alive, pids))
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
