r"""Runs what stands on stdin on a terminal: `python -m manual.terminal TEXT KEYS [TEXT KEYS …]`.

Each time that TEXT is drawn, KEYS are typed (`\r` is Enter). What the block ends with is the exit code.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

SIZE = (24, 80)
PATIENCE = 120.0
"""Seconds that bound a broken page."""


def main() -> None:
    """Types as a person would: not before there is something to answer."""
    answers = [word.encode().decode("unicode_escape") for word in sys.argv[1:]]
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - what our pages say
        ("/bin/bash", "-ec", sys.stdin.read()),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(follower)
    seen, end = b"", time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        if not select.select([leader], [], [], left)[0]:
            break
        try:
            seen += os.read(leader, 65536)
        except OSError:  # EIO: nobody has it open any more
            break
        while answers and (text := answers[0].encode()) in seen:
            seen = seen.partition(text)[2]
            os.write(leader, answers[1].encode())
            del answers[:2]
    sys.stderr.write(seen.decode(errors="replace"))
    if answers:
        process.kill()
        sys.exit(f"never drawn: {answers[0]}")
    sys.exit(process.wait(PATIENCE))


if __name__ == "__main__":
    main()
