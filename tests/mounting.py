"""Small file systems for tests of full disks; only where STUDIO_TEST_MOUNTS allows to mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    """A file system of a size such as 200k in a folder, which is made if it is not there."""
    if not os.environ.get("STUDIO_TEST_MOUNTS"):
        pytest.skip("STUDIO_TEST_MOUNTS is not set: no file system is mounted")
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
