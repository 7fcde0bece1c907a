"""The command lines that start this Python again: the one place that says how.

None of them looks for modules in the directory that it is started in: a file there that is called like a module of the
standard library would be run instead of that.
"""

import sys


def module(name: str) -> tuple[str, ...]:
    """Return the command line that runs a module of this installation."""
    return (sys.executable, "-P", "-m", name)


def code(text: str) -> tuple[str, ...]:
    """Return the command line that runs some lines of Python, which may import this installation."""
    return (sys.executable, "-P", "-c", text)


def isolated(file: str) -> tuple[str, ...]:
    """Return the command line that runs a file which needs the standard library alone, in any environment."""
    return (sys.executable, "-I", file)
