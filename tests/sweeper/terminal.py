"""A command on a terminal of 80 columns, with a keyboard: what somebody sees, and what a Ctrl-C there does."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from .watched import PATIENCE

CTRL_C = b"\x03"
_OBEYED = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")  # colours, and where the cursor goes


def _in_foreground():
    """Ctrl-C is for this process, also where the tests run in the background, which ignores it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    def __init__(self, *arguments, columns=80, program=("-m", "sweeper")):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
            start_new_session=True,
            preexec_fn=_in_foreground,
        )
        os.close(theirs)
        self._ours, self._read = ours, b""

    @property
    def said(self):
        """Lines as they went over the wire, each state of a display after the other."""
        return _OBEYED.sub("", self._read.decode(errors="replace")).replace("\r\n", "\n")

    def press(self, key):
        os.write(self._ours, key)

    def until(self, text, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while text not in self.said:
            assert time.monotonic() < deadline, f"{text!r} in vain, but\n{self.said}"
            assert self._more(1.0) or text in self.said, f"ended without {text!r}, but with\n{self.said}"

    def wait(self, seconds=PATIENCE):
        """The exit code."""
        deadline = time.monotonic() + seconds
        while self._more(1.0):
            assert time.monotonic() < deadline, f"goes on and on:\n{self.said}"
        return self.process.wait(PATIENCE)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _more(self, seconds):
        """Reads what comes in that time; False once the last process has closed the terminal."""
        if select.select([self._ours], [], [], seconds)[0]:
            try:
                self._read += os.read(self._ours, 65536)
            except OSError:  # Linux tells it so
                return False
        return True
