"""Small and read-only file systems; mounted only where STUDIO_TEST_MOUNTS allows to mount."""

import ctypes
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LINUX_CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1 << 1
PR_GET_SECUREBITS, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 27, 28, 1 << 2
WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    """A file system of a size such as 200k in a folder, which is made if it is not there."""
    folder.mkdir(exist_ok=True)
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield folder


@contextmanager
def frozen(folder: Path) -> Iterator[Path]:
    """A folder in which nothing can be written, by root neither."""
    if os.geteuid() == 0 and os.environ.get("STUDIO_TEST_MOUNTS"):
        with _mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield folder
        return
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~WRITE)
    try:
        with _obeying_modes():
            yield folder
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def _obeying_modes() -> Iterator[None]:
    """Let this thread, and those that it starts, write only where the modes of files let it.

    Root has a capability to write anywhere, capabilities(7), which it can lay down and take up;
    access(2) answers by what it could take up, unless a bit says otherwise.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()  # Twice: effective, permitted, inheritable.
    bits = libc.prctl(PR_GET_SECUREBITS)
    if libc.capget(header, held) or libc.prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP):
        pytest.skip("the capabilities of this process cannot be changed")
    assert libc.capset(header, (ctypes.c_uint32 * 6)(held[0] & ~CAP_DAC_OVERRIDE, *held[1:])) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0
        assert libc.prctl(PR_SET_SECUREBITS, bits) == 0


@contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[None]:
    if not os.environ.get("STUDIO_TEST_MOUNTS"):
        pytest.skip("STUDIO_TEST_MOUNTS is not set: no file system is mounted")
    if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
