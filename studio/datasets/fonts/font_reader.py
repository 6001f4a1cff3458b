"""A process that reads fonts, so that one that crashes or hangs its reader harms nothing else.

It takes one path a line on its standard input, as JSON, and answers each with a line of JSON on its
standard output: {"reason": ...} for a font that is left out, or {"bytes": N} and then N bytes, the
distance fields of its letters.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from studio.datasets.fonts.glyphs import (
    BOX_PX,
    LETTERS,
    UnusableFontError,
    measure_field,
    read_letters,
)
from studio.datasets.fonts.screening import has_one_case
from studio.workspace.own_process import module_command, module_environment

MAX_MEMORY = 2 << 30  # Bytes of address space.
MAX_FONT_S = 20.0  # Seconds for one font; most take a third of one.
START_S = 60.0  # Seconds until a new process answers its first font, beside the time of the font.
ANSWER_BYTES = len(LETTERS) * BOX_PX * BOX_PX


class FontReader:
    """Reads fonts in a process of its own, which is replaced whenever it has to be ended."""

    def __init__(self, max_font_s: float = MAX_FONT_S) -> None:
        self._max_font_s = max_font_s
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path) -> np.ndarray:
        """The distance fields of a font's letters: uint8 [52, 36, 36].

        Raises:
            UnusableFontError: the text is the reason.
        """
        allowed_s = self._max_font_s + (START_S if self._process is None else 0)
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        line = json.dumps(os.fsdecode(path.absolute())).encode() + b"\n"
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = _Answer(process.stdout, time.monotonic() + allowed_s)
            head = json.loads(answer.read_line())
            if "reason" in head:
                raise UnusableFontError(head["reason"])
            content = answer.read(ANSWER_BYTES)
        except TimeoutError as error:
            self.close()
            raise UnusableFontError(f"takes longer than {self._max_font_s:g} s") from error
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise UnusableFontError("ends the process that reads it") from error
        return np.frombuffer(content, np.uint8).reshape(len(LETTERS), BOX_PX, BOX_PX)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            module_command("studio.datasets.fonts.font_reader"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FreeType and Python say there what is damaged in a font.
            env=os.environ | module_environment() | {"OMP_NUM_THREADS": "1"},
        )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


class _Answer:
    """Bytes of a pipe, read until a moment."""

    def __init__(self, pipe: IO[bytes], until: float) -> None:
        self._pipe, self._until = pipe, until

    def read_line(self) -> bytes:
        """The bytes up to the end of a line."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.read(1)
        return line

    def read(self, count: int) -> bytes:
        """So many bytes; raises TimeoutError where they come too late, EOFError where they end."""
        content = b""
        while len(content) < count:
            left_s = self._until - time.monotonic()
            if left_s <= 0 or not select.select([self._pipe], [], [], left_s)[0]:
                raise TimeoutError
            part = os.read(self._pipe.fileno(), count - len(content))
            if not part:
                raise EOFError
            content += part
        return content


def main() -> None:
    """Answer every line until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    for line in sys.stdin.buffer:
        try:
            content = _read_fields(Path(os.fsdecode(json.loads(line)))).tobytes()
            answer: dict[str, Any] = {"bytes": len(content)}
        except UnusableFontError as reason:
            content, answer = b"", {"reason": str(reason)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + content)
        sys.stdout.buffer.flush()


def _read_fields(path: Path) -> np.ndarray:
    """The distance fields of a font's letters: uint8 [52, 36, 36]."""
    drawn = read_letters(path)
    if has_one_case(drawn):
        raise UnusableFontError("its two cases look the same")
    return np.stack([measure_field(letter) for letter in drawn])


if __name__ == "__main__":
    main()
