"""Processes that can be killed, forked from one that has imported torch once for all of them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

FORKER = """
import json, os, sys
import checkpoints_index.run, checkpoints_index.index
for line in sys.stdin:
    request = json.loads(line)
    if "wait" in request:
        print(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]), flush=True)
        continue
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    os.dup2(os.open(request["output"], os.O_WRONLY), 1)
    sys.argv[1:] = request["arguments"]
    exec(request["script"], {"__name__": "__main__"})
    sys.exit()  # It ends as any interpreter does.
"""


class ForkedProcess:
    """A process at work: its number, its standard output, and its end."""

    def __init__(self, forker, pid, output):
        self._forker, self.pid, self.stdout = forker, pid, output

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        """Read what it still prints, to nobody; the exit status, negative for a signal."""
        self.stdout.read()
        self.stdout.close()
        return int(self._forker.ask({"wait": self.pid}))


class Forker:
    """Starts processes that run a script, each within a few milliseconds."""

    def __init__(self, folder):
        self._folder, self._started = folder, 0
        root = Path(__file__).parents[2]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, "-c", FORKER], cwd=root, **pipes)

    def start(self, script, *arguments):
        """Run a script with these words as sys.argv[1:]."""
        self._started += 1
        output = self._folder / f"output-{self._started}"
        os.mkfifo(output)
        request = {"script": script, "arguments": [*map(str, arguments)], "output": str(output)}
        pid = int(self.ask(request))
        return ForkedProcess(self, pid, output.open())

    def ask(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._process.stdout.readline()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
