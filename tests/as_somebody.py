"""`flashdeck` as another user of this machine: everything is imported as root, and then nothing of root is left.

A process that drops its rights first could not start: the interpreter and the tree may be where only root gets.
"""

import os
import pkgutil
import pwd
import sys
from importlib import import_module

import flashdeck
import flashdeck_tui.cli
from flashdeck_tui.cli.command_line import run


def import_all() -> None:
    """Imports what a command imports only once it runs."""
    import_module("concurrent.futures.thread")
    for package in (flashdeck, flashdeck_tui.cli):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(("pytest_plugin", "labgrid_driver", "__main__")):
                import_module(found.name)


def become(name: str, group: int | None) -> None:
    """Lets this process be of a user; with `group` in that one alone, whatever the name service says."""
    account = pwd.getpwnam(name)
    if group is None:
        os.initgroups(name, account.pw_gid)
    else:
        os.setgroups([group])
    os.setgid(account.pw_gid if group is None else group)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    user, group, *words = sys.argv[1:]
    import_all()
    become(user, int(group) if group else None)
    sys.exit(run(words))
