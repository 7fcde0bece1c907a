"""Accounts of this machine, as its name service tells them. That may ask another machine: a lookup may hang."""

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """One user of the system."""

    name: str
    groups: frozenset[int]
    """The numbers of its groups, primary and supplementary."""


def account_of(uid: int) -> Account | None:
    """Return the user with a number; None where there is none. Blocks. Raises OSError where nobody can tell."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_name, frozenset((entry.pw_gid, *os.getgrouplist(entry.pw_name, entry.pw_gid))))


def group_number(name: str) -> int | None:
    """Return the number of a group; None where there is none. Blocks."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def own_groups() -> frozenset[int]:
    """Return the numbers of the groups that this process is in: those that its user had when it was started."""
    return frozenset((os.getegid(), *os.getgroups()))
