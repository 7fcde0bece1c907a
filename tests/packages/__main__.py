"""`make packages`: builds wheel and sdist, installs them as users do, and runs every command of what came of that.

From the environment: TESTS are words for pytest. All is done in a directory with a space in its name, which is removed
at the end; of the user's home nothing is read or written.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from packages import distribution, environments
from packages.workshop import VARIABLE, Workshop

HERE = Path(__file__).parent


def main() -> int:
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="fd packages ", dir="/tmp") as scratch:
        workshop = Workshop(Path(scratch))
        distribution.build_all(workshop)
        environments.prepare(workshop)
        words = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), str(HERE / "suite")]
        environment = {**os.environ, VARIABLE: scratch}
        return subprocess.run(
            [*words, *shlex.split(os.environ.get("TESTS", ""))], env=environment, check=False
        ).returncode


def stop(number: int, _: FrameType | None) -> None:
    """Lets what was made be removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
