"""A TCP port for a server that is yet to come, or that nobody is to listen on at all."""

import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def kept_port() -> Generator[int]:
    """A port of this machine that is given to nobody who asks for any, for the length of a block.

    Connections to it are refused until a server asks for that very one, and says SO_REUSEADDR, as sshd and
    `socket.create_server` do.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]
