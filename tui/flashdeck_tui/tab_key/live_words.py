"""Names for a shell to complete, as the running daemon has them: asked for in few words, and silent where none answers.

It speaks the protocol of the socket itself: the client of all commands takes longer to import than a person who has
pressed Tab waits.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from flashdeck.errors import FlashdeckError
from flashdeck.text import is_name
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui.tab_key.going_on import GoingOn, Word

PATIENCE: Final = 0.5
"""Seconds that a person who pressed Tab waits at the most for a daemon."""
JOBS: Final = 100
"""Jobs that are proposed at the most, the newest."""
LONGEST_ANSWER: Final = 2 * 1024 * 1024
"""Bytes of answers that are read."""
PROTOCOL: Final = 2
"""The protocol of the socket that is spoken here, whatever others this release speaks, too."""
OPEN: Final = ("queued", "waiting", "running", "written", "blocked")
"""The states of jobs that can be cancelled."""
AGAIN: Final = ("done", "failed", "superseded", "cancelled", "blocked", "waiting")
"""The states of jobs that can be tried again."""
IN_QUEUE: Final = ("queued", "waiting", "blocked")
"""The states of jobs that have not begun, and can be moved in the queue."""
_HELLO: Final = {"protocol": PROTOCOL, "lowest": PROTOCOL, "client": "flashdeck-completion"}

Answer = Mapping[str, Any]


def _boards(answer: Answer) -> Iterator[Word]:
    return (Word(board["name"]) for board in answer["boards"])


def _slots(answer: Answer) -> Iterator[Word]:
    return (Word(board["name"]) for board in answer["boards"] if board.get("slot"))


def _lots(answer: Answer) -> Iterator[Word]:
    return (Word(lot["name"]) for lot in answer["lots"])


def _lots_going_on(answer: Answer) -> Iterator[Word]:
    return (Word(lot["name"]) for lot in answer["lots"] if lot.get("ended_at") is None)


def _partitions(answer: Answer) -> Iterator[Word]:
    """Yield the partitions of all boards that can be flashed."""
    for board in answer["boards"]:
        yield from (Word(part["name"]) for part in board.get("partitions", ()) if not part.get("protected"))


def _profiles(answer: Answer) -> Iterator[Word]:
    return (Word(board["profile"]) for board in answer["boards"])


def _devices(answer: Answer) -> Iterator[Word]:
    """Yield the ports of the devices that are no boards. A serial is a device's own word: never that."""
    return (Word(device["port"]) for device in answer.get("devices", ()))


def _jobs(answer: Answer) -> Iterator[Word]:
    for job in answer["jobs"]:
        named = [job["board"], job["partition"], job["status"]["state"]]
        about = "{1} of {0} {2}".format(*named) if all(map(is_name, named)) else ""
        yield Word(str(int(job["id"])), about)


_Kind = tuple[str, Mapping[str, object], Callable[[Answer], Iterable[Word]]]
KINDS: Final[Mapping[str, _Kind]] = {
    "boards": ("boards", {}, _boards),
    "slots": ("boards", {}, _slots),
    "lots": ("lots", {}, _lots),
    "lots going on": ("lots", {}, _lots_going_on),
    "partitions": ("boards", {}, _partitions),
    "profiles": ("boards", {}, _profiles),
    "devices": ("boards", {}, _devices),
    "jobs to cancel": ("jobs", {"limit": JOBS, "statuses": OPEN}, _jobs),
    "jobs to move": ("jobs", {"limit": JOBS, "statuses": IN_QUEUE}, _jobs),
    "jobs to retry": ("jobs", {"limit": JOBS, "statuses": AGAIN}, _jobs),
    "virtual boards": ("virtual.list", {}, _boards),
}
"""The method that is asked, its parameters, and the words in its answer."""
ALWAYS_VIRTUAL: Final = frozenset({"virtual boards"})


def names(asked: GoingOn) -> list[Word]:
    """Return the names of the wanted kinds that begin so; none where no daemon answers in time.

    A name that a shell could read as anything else is left out.
    """
    kinds = [kind for kind in asked.kinds if kind in KINDS]
    if not kinds:
        return []
    try:
        if asked.hosts:
            from flashdeck_tui.tab_key import far_words  # noqa: PLC0415 - ssh takes long by itself, all others do not

            return far_words.names(asked, kinds)
        is_bench = not ALWAYS_VIRTUAL.isdisjoint(kinds)
        where = Whereabouts.only_virtual() if asked.is_virtual else Whereabouts.of(asked.socket, virtual=is_bench)
        until = time.monotonic() + PATIENCE
        with _connected(where, until) as connection:
            found = [word for words in words_of(connection, kinds, until).values() for word in words]
    except (OSError, FlashdeckError, ValueError, LookupError, TypeError):
        return []  # no daemon, one that is busy, or something else than one
    return [word for word in dict.fromkeys(found) if word.text.startswith(asked.begun)]


def words_of(connection: socket.socket, kinds: Sequence[str], until: float) -> Mapping[str, Sequence[Word]]:
    """Return the names of each kind that the daemon on the other side has; those that are no names are left out.

    Raises OSError, ValueError or LookupError where it does not answer in time, or is none.
    """
    questions: list[tuple[str, Mapping[str, object]]] = [("hello", _HELLO), *(KINDS[kind][:2] for kind in kinds)]
    connection.settimeout(_left(until))
    for number, (name, about) in enumerate(questions):
        line = {"jsonrpc": "2.0", "id": number, "method": name, "params": about}
        connection.sendall(json.dumps(line).encode() + b"\n")
    answers: dict[int, Answer] = {}
    for line in lines_of(connection, until):
        answer = cast("dict[str, Any]", json.loads(line))
        if "error" in answer:
            break
        if "result" in answer:
            answers[answer["id"]] = cast("Answer", answer["result"])
        if len(answers) == len(questions):
            found = {kind: KINDS[kind][2](answers[number]) for number, kind in enumerate(kinds, 1)}
            return {kind: [word for word in words if is_name(word.text)] for kind, words in found.items()}
    raise ValueError("no answer")


def _connected(where: Whereabouts, until: float) -> socket.socket:
    for place in where.places:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_left(until))
            connection.connect(str(place))
        except OSError:
            connection.close()
        else:
            return connection
    raise ConnectionRefusedError


def lines_of(connection: socket.socket, until: float) -> Iterator[bytes]:
    """Yield the lines that arrive, up to `LONGEST_ANSWER` bytes; raises TimeoutError where none comes in time."""
    pending, taken = b"", 0
    while taken < LONGEST_ANSWER:
        connection.settimeout(_left(until))
        piece = connection.recv(1 << 16)
        if not piece:
            return
        taken += len(piece)
        *lines, pending = (pending + piece).split(b"\n")
        yield from lines


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
