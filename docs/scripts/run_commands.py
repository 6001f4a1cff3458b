"""Run the commands of pages of the docs as they are written, on a workspace with the demo's run.

    python run_commands.py WORKSPACE .../docs/explore.md .../docs/atlas.md

They run in the current folder, one after the other, and leave there what they write: give the
pages by their whole paths in a folder of its own. A line for each tells whether it ended well.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

BLOCK = re.compile(r"(?m)^```(?:bash)?\n(.*?)^```$|((?:^    studio .*\n)+)", re.DOTALL)


def commands_of(page: Path) -> list[str]:
    """The studio's commands of a page, in their order; a line that ends in \\ goes on in the next.

    Commands stand in blocks of their own.
    """
    blocks = (match[1] or match[2] for match in BLOCK.finditer(page.read_text()))
    lines = (line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if line.startswith("studio ")]


def main(workspace: str, pages: list[str]) -> int:
    """Run all; returns how many failed."""
    failed = 0
    for command in (line for page in pages for line in commands_of(Path(page))):
        words = [sys.executable, "-m", "studio", "--workspace", workspace]
        began = time.monotonic()
        done = subprocess.run([*words, *shlex.split(command)[1:]], capture_output=True, text=True)
        failed += done.returncode != 0
        print(f"{done.returncode}  {time.monotonic() - began:.0f} s  {command}", flush=True)
        print(done.stdout if done.returncode == 0 else done.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
