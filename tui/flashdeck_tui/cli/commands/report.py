"""`flashdeck report`: all that somebody who is asked for help wants to see, in one file."""

import contextlib
import os
import pwd
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.config import Config
from flashdeck.config_file import load
from flashdeck.config_show import to_toml
from flashdeck.diagnosis import Diagnosis, Fact
from flashdeck.errors import ConfigError, ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck.full_json import full_json, plain
from flashdeck.model import LogLine, Snapshot
from flashdeck.paths import default_config_path
from flashdeck.recording import MAX_FILE, MAX_LINE
from flashdeck.text import clean, counted, format_size
from flashdeck.versions import software
from flashdeck_tui.cli import options
from flashdeck_tui.cli.answers import MissingPart, ReportPart, ReportWritten
from flashdeck_tui.cli.bundle import write_bundle
from flashdeck_tui.cli.commands.config.config_path import config_option
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.redaction import Redactor, serials_in_recording, serials_in_text, users_in_text
from flashdeck_tui.cli.remote import only_host

MAX_RECORDINGS = 64 * 1024 * 1024
"""Bytes of recordings in a report at the most; the newest go in."""
_DAEMON = "versions of the daemon"
_LIVE = ("status.json", _DAEMON, "doctor.json", "log.jsonl", "recordings")

T = TypeVar("T")


@dataclass
class Gathered:
    """The parts that could be had, and why the rest could not."""

    snapshot: Snapshot | None = None
    daemon: tuple[Fact, ...] = ()
    """The versions that the daemon runs on."""
    diagnosis: Diagnosis | None = None
    log: tuple[LogLine, ...] = ()
    config: Config | None = None
    recordings: dict[str, bytes] = field(default_factory=dict[str, bytes])
    missing: dict[str, str] = field(default_factory=dict[str, str])


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write. Default: flashdeck-report-TIME.tar.gz here.",
)
@click.option("--redact", is_flag=True, help="Invent serial numbers, host and user names, the same ones everywhere.")
@config_option
@options.as_json
def command(*, output: Path | None, redact: bool, path: Path | None, as_json: bool) -> None:
    """Bundle what is known of boards and daemon in one file, to be looked at by somebody else.

    Recordings (where flashdeckd runs with --record), what 'flashdeck doctor' finds, the configuration, the newest log
    lines, the state of daemon and boards, and versions. It is sent nowhere, and an existing file is not overwritten.
    Without a daemon only the configuration and the versions on this side are in it.
    """
    gathered = _gather(path)
    parts = _parts(gathered, _redactor(gathered) if redact else None)
    file = output or Path(time.strftime("flashdeck-report-%Y%m%dT%H%M%SZ.tar.gz", time.gmtime()))
    parts = {"README.txt": _contents(parts, gathered.missing, redacted=redact).encode(), **parts}
    size = write_bundle(file, parts)
    if as_json:
        put_json(
            ReportWritten(
                file=str(file),
                size=size,
                redacted=redact,
                parts=tuple(ReportPart(name=name, size=len(data)) for name, data in parts.items()),
                missing=tuple(MissingPart(part=name, reason=reason) for name, reason in gathered.missing.items()),
            )
        )
        return
    put(f"{clean(str(file))}, {format_size(size)}")
    put(parts["README.txt"].decode().rstrip("\n"))


def _gather(path: Path | None) -> Gathered:
    found = Gathered()
    try:
        converse(lambda client: _ask_daemon(client, found))
    except ConnectionFailedError as error:
        for part in _LIVE:
            if part not in found.missing and not _has(found, part):
                found.missing[part] = f"no daemon answers ({error.message})"
    if path is None and only_host(click.get_current_context()):
        found.missing["config.toml"] = "it is on the other machine (--config FILE takes a copy of it)"
        return found
    virtual = found.snapshot is not None and found.snapshot.daemon.virtual
    try:
        found.config = load(path if path is not None else default_config_path(virtual=virtual))
    except ConfigError as error:
        elsewhere = " (--config FILE takes the one that your flashdeckd was started with)" if path is None else ""
        found.missing["config.toml"] = f"{'; '.join(error.message.splitlines())}{elsewhere}"
    return found


def _has(found: Gathered, part: str) -> bool:
    held: dict[str, object] = {
        "status.json": found.snapshot,
        _DAEMON: found.daemon,
        "doctor.json": found.diagnosis,
        "log.jsonl": found.log,
    }
    return bool(held.get(part))


async def _ask_daemon(client: Client, found: Gathered) -> None:
    async def attempt(part: str, work: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await work()
        except FlashdeckError as error:
            if isinstance(error, ConnectionFailedError):
                raise
            found.missing[part] = error.message
            return None

    found.snapshot = await attempt("status.json", lambda: client.call(api.GetStatus()))
    versions = await attempt(_DAEMON, lambda: client.call(api.GetVersions()))
    found.daemon = versions.facts if versions is not None else ()
    found.diagnosis = await attempt("doctor.json", lambda: client.call(api.Examine()))
    page = await attempt("log.jsonl", lambda: client.call(api.GetLogs(limit=api.LOG_PAGE)))
    found.log = page.lines if page is not None else ()
    await attempt("recordings", lambda: fetch(client, found))  # the doctor's own sessions included


async def fetch(client: Client, found: Gathered) -> None:
    """The newest recordings, as many as there is room for; a session under way as far as it has come."""
    listed = await client.call(api.GetRecordings())
    if not listed.recording:
        found.missing["recordings"] = "flashdeckd was started without --record DIR"
        return
    room, left_out = MAX_RECORDINGS, 0
    for each in reversed(listed.recordings):
        if each.size > room:
            left_out += 1
            continue
        data = await _read(client, each.index, each.name)
        room -= len(data)
        found.recordings[each.name] = data
    if left_out:
        found.missing[counted(left_out, "recording")] = f"a report holds {format_size(MAX_RECORDINGS)} of them"


async def _read(client: Client, index: int, name: str) -> bytes:
    data = bytearray()
    while True:
        piece = await client.call(api.ReadRecording(index=index, offset=len(data)))
        data += piece.data
        if not piece.data:
            return bytes(data)
        if len(data) > MAX_FILE + MAX_LINE:
            raise FlashdeckError(f"the recording {clean(name)} does not end", kind=ErrorKind.PROTOCOL_MISMATCH)


def _redactor(found: Gathered) -> Redactor:
    serials: set[str] = set()
    hosts = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    if found.snapshot is not None:
        hosts |= {found.snapshot.daemon.host, found.snapshot.daemon.host.partition(".")[0]}
    texts = [*(line.text for line in found.log), *found.missing.values()]
    for value in (found.snapshot, found.diagnosis):
        serials |= _serials(plain(value))
        texts += _texts(plain(value))
    if found.config is not None:
        texts.append(to_toml(found.config))
        serials |= {board.serial for board in found.config.boards.values()}
    for name, raw in tuple(found.recordings.items()):
        try:
            serials |= serials_in_recording(name, raw)
        except ConfigError as error:  # what cannot be read cannot be redacted
            del found.recordings[name]
            found.missing[f"recordings/{name}"] = error.message
    users = {os.environ.get(variable, "") for variable in ("USER", "LOGNAME", "SUDO_USER")}
    home = os.environ.get("HOME", "")
    with contextlib.suppress(KeyError):  # a container's user may have no account
        user = pwd.getpwuid(os.getuid())
        users.add(user.pw_name)
        home = home or user.pw_dir
    for text in texts:
        serials |= serials_in_text(text)
        users |= users_in_text(text)
    return Redactor(serials=serials, hosts=hosts, users=users, home=home)


def _texts(value: object) -> Iterator[str]:
    """Every text in what JSON knows."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)


def _serials(value: object) -> set[str]:
    """Whatever is called a serial."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            found |= {item} if key == "serial" and isinstance(item, str) else _serials(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            found |= _serials(item)
    return found


def _parts(found: Gathered, redactor: Redactor | None) -> dict[str, bytes]:
    """The files of the report, by name."""

    def as_json(value: Any) -> bytes:
        shown = plain(value) if redactor is None else redactor.value(plain(value))
        return full_json(shown).encode() + b"\n"

    runs_on = {"here": _by_name(software()), "daemon": _by_name(found.daemon)}
    parts = {"versions.json": as_json(runs_on)}
    if found.config is not None:
        text = to_toml(found.config)
        # A path need not be UTF-8, and a part of a report must be.
        parts["config.toml"] = (text if redactor is None else redactor.text(text)).encode(errors="replace")
    if found.snapshot is not None:
        parts["status.json"] = as_json(found.snapshot)
    if found.diagnosis is not None:
        parts["doctor.json"] = as_json(found.diagnosis)
    if found.log:
        parts["log.jsonl"] = b"".join(map(as_json, found.log))
    for name, raw in sorted(found.recordings.items()):
        parts[f"recordings/{Path(clean(name)).name}"] = raw if redactor is None else redactor.recording(name, raw)
    if redactor is not None:
        for part, reason in found.missing.items():
            found.missing[part] = redactor.text(reason)
    return parts


def _by_name(facts: tuple[Fact, ...]) -> dict[str, str]:
    return {fact.name: fact.value for fact in facts}


def _contents(parts: dict[str, bytes], missing: dict[str, str], *, redacted: bool) -> str:
    lines = ["in it:", *(f"  {name} ({format_size(len(data))})" for name, data in parts.items())]
    if missing:
        lines += ["not in it:", *(f"  {clean(name)}: {clean(reason)}" for name, reason in missing.items())]
    lines += (
        ["serial numbers, host and user names are invented; image bytes, if recorded, are not changed"]
        if redacted
        else ["serial numbers, host and user names are in it as they are; --redact invents others"]
    )
    lines.append("nothing was sent anywhere: look into the file before you hand it on")
    return "\n".join(lines) + "\n"
