"""Ports of this machine for servers that tests start, which takes some of them seconds, and start again."""

import random
import socket
from contextlib import suppress


def free() -> int:
    """Below those that the kernel gives to whoever asks for any: tests beside this one do, by the hundred."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
