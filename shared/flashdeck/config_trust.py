"""Included files must not widen what may be done before a person has confirmed it (safety rule 12). Pure.

An included file may belong to a project that others write to. Commands, hooks, consoles at a path, boards that go back
by themselves, other machines, `protected` that is gone and guards that are left out count from there once they are
confirmed; until then the value that was confirmed last stands, else the stricter one. All the rest of the file counts
at once.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from flashdeck.config import AnyGuard, Config, Console, Hooks, Host, OnCrash, Partition, Profile, may_be_same
from flashdeck.config_record import (
    NARROW,
    ON_CRASH,
    WIDE_ON_CRASH,
    ConfigRecord,
    HostRecord,
    PartitionRecord,
    ProfileRecord,
    hooks_record,
    hosts_record,
    is_wide,
    may_be_one,
    partition_record,
    profile_record,
)
from flashdeck.config_tables import PartitionTable, ProfileTable, default_guards
from flashdeck.geometry import Range, joined
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.line_numbers import LineNumbers
from flashdeck.toml.reader import read_key
from flashdeck.toml.writer import literal

T = TypeVar("T")

CONFIRMED_FILES = 1024
"""Confirmed files that are remembered, the last ones."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An included file that would widen what may be done, and whose keys for that do not count yet."""

    file: Path
    lines: tuple[str, ...]
    """Each key with its table, and what it would change."""
    boards: tuple[str, ...]
    """Its boards, and those of its profiles."""

    @property
    def hint(self) -> str:
        """The command that confirms it."""
        return f"look at it, then: flashdeck config trust {clean(str(self.file), MAX_PATH)}"


@dataclass(frozen=True, slots=True)
class Included:
    """An included file, as far as it may have to be confirmed."""

    profiles: Mapping[str, Profile]
    hooks: Hooks = field(default=Hooks())
    hosts: Mapping[str, Host] = field(default_factory=dict[str, Host])


@dataclass(slots=True)
class _Restriction:
    """A profile, restricted step by step, and the lines that do not count."""

    profile: Profile
    lines: list[str] = field(default_factory=list[str])

    def tell(self, key: str, what: str, *, below: tuple[str, ...] = ()) -> None:
        """Note what does not count of a key of the profile, or of a table `below` it."""
        table = ("profiles", self.profile.name, *below)
        self.lines.append(_told(self.profile.lines, table, key, what))


def _told(lines: LineNumbers, table: tuple[str, ...], key: str, what: str) -> str:
    line = lines.of(*table, key) if key else lines.of(*table)
    head = f"[{'.'.join(table)}]" + (f" {key}:" if key else "")
    return clean((f"line {line}, " if line else "") + f"{head} {what}")


def included(config: Config) -> dict[str, Included]:
    """Return, by path, each file that is not the main one and has profiles, hooks or other machines."""
    hosts: dict[str, dict[str, Host]] = {}
    for name, host in config.hosts.items():
        if host.place.file != config.files[0]:
            hosts.setdefault(str(host.place.file), {})[name] = host
    files: dict[str, dict[str, Profile]] = {path: {} for path in (*config.included_hooks, *hosts)}
    for name, profile in config.profiles.items():
        if profile.file != config.files[0]:
            files.setdefault(str(profile.file), {})[name] = profile
    return {
        path: Included(own, config.included_hooks.get(path, Hooks()), hosts.get(path, {}))
        for path, own in files.items()
    }


def claims(profiles: Mapping[str, Profile]) -> dict[str, ProfileRecord]:
    """Return what a person confirms of a file that has these profiles."""
    return {name: profile_record(profile) for name, profile in profiles.items()}


def confirming(record: ConfigRecord, path: str, file: Included) -> ConfigRecord:
    """Return the record once a person has confirmed a file as it is now."""
    return msgspec.structs.replace(
        record,
        confirmed=_with_newest(record.confirmed, path, claims(file.profiles)),
        hooks=_with_newest(record.hooks, path, hooks_record(file.hooks)),
        hosts=_with_newest(record.hosts, path, hosts_record(file.hosts)),
    )


def _with_newest(confirmed: Mapping[str, T], path: str, claimed: T) -> dict[str, T]:
    others = {name: each for name, each in confirmed.items() if name != path}
    return {**dict(list(others.items())[1 - CONFIRMED_FILES :]), path: claimed}


def digest(
    profiles: Mapping[str, ProfileRecord],
    hooks: Mapping[str, tuple[str, ...]],
    hosts: Mapping[str, HostRecord],
) -> str:
    """Return a hash over the keys alone that count only once they are confirmed."""
    said = {
        name: (
            profile.keys,
            [(span.start, span.end) for span in profile.protected],
            sorted(map(str, profile.protected_alternates)),
            {each: partition.guards for each, partition in profile.partitions.items() if not partition.protected},
        )
        for name, profile in profiles.items()
    }
    return hashlib.sha256(msgspec.json.encode((said, hooks, hosts), order="deterministic")).hexdigest()


def restricted(config: Config, known: ConfigRecord) -> tuple[Config, tuple[Unconfirmed, ...]]:
    """Return the configuration with that alone which counts, and the files of which something does not.

    `known` is what was confirmed, and the configuration that was in force last.
    """
    profiles, hooks, hosts = dict(config.profiles), config.hooks, dict(config.hosts)
    found: list[Unconfirmed] = []
    for path, own in included(config).items():
        confirmed, hooked = known.confirmed.get(path, {}), known.hooks.get(path, {})
        machines = known.hosts.get(path, {})
        now = digest(claims(own.profiles), hooks_record(own.hooks), hosts_record(own.hosts))
        if path in known.confirmed and digest(confirmed, hooked, machines) == now:
            continue
        lines: list[str] = []
        for name, profile in own.profiles.items():
            restriction = _Restriction(profile)
            _restrict(restriction, confirmed.get(name), _before(config, name, known))
            profiles[name] = restriction.profile
            lines += restriction.lines
        for name, argv in hooks_record(own.hooks).items():
            stands = hooked.get(name)
            if stands != argv:
                hooks = replace(hooks, **{name: stands})
                former = None if stands is None else list(stands)
                lines.append(_told(own.hooks.place.lines, ("hooks",), name, _until_confirmed(list(argv), former)))
        lines += _keep_hosts(hosts, own.hosts, machines)
        if lines:
            found.append(Unconfirmed(Path(path), tuple(lines), _boards_of(config, path, own)))
    boards = {name: replace(board, profile=profiles[board.profile.name]) for name, board in config.boards.items()}
    return replace(config, profiles=profiles, boards=boards, hooks=hooks, hosts=hosts), tuple(found)


def _boards_of(config: Config, path: str, own: Included) -> tuple[str, ...]:
    boards = config.boards.values()
    return tuple(sorted(each.name for each in boards if each.profile.name in own.profiles or str(each.file) == path))


def _before(config: Config, profile: str, known: ConfigRecord) -> list[ProfileRecord]:
    """Return how a profile was in force last, and those that its boards had: one that is renamed is no other one."""
    found = [known.profiles[profile]] if profile in known.profiles else []
    for board in (each for each in config.boards.values() if each.profile.name == profile):
        for name, was in (*known.former.items(), *known.boards.items()):
            if (name == board.name or may_be_one(was, board)) and was.profile not in found:
                found.append(was.profile)
    return found


def _until_confirmed(value: object, stands: object | None, *, without: str = "none is run") -> str:
    instead = without if stands is None else f"{literal(stands)} stands"
    return f"{literal(value)} is not confirmed; until then {instead}"


def _keep_hosts(hosts: dict[str, Host], own: Mapping[str, Host], confirmed: Mapping[str, HostRecord]) -> Iterator[str]:
    """Leave in `hosts` what counts of those of one file; yield those that do not, in words."""
    for name, said in hosts_record(own).items():
        stands = confirmed.get(name)
        if said == stands:
            continue
        if stands is None:
            del hosts[name]
        else:
            hosts[name] = replace(own[name], ssh=stands.ssh, command=stands.command, hosts=stands.hosts)
        instead = "it is no host" if stands is None else f"{stands.words} stands"
        what = f"{said.words} is not confirmed; until then {instead}"
        yield _told(own[name].place.lines, ("hosts", name), "", what)


def widening(file: Included) -> Iterator[str]:
    """Yield the keys of a file that count because it is confirmed, in words."""
    for name, host in hosts_record(file.hosts).items():
        yield clean(f"[hosts.{name}] {host.words}")
    for name, argv in hooks_record(file.hooks).items():
        yield clean(f"[hooks] {name} = {literal(list(argv))}")
    for name, profile in file.profiles.items():
        record = profile_record(profile)
        for key, value in record.keys.items():
            yield clean(f"[profiles.{name}] {key} = {literal(value)}")
        for each, partition in profile.partitions.items():
            lost = _usual_guards(profile, partition) - partition.guards
            if lost and not partition.protected:
                yield clean(f"[profiles.{name}.partitions.{each}] guards without {_names(lost)}")


def _restrict(it: _Restriction, confirmed: ProfileRecord | None, before: Sequence[ProfileRecord]) -> None:
    known = [*([confirmed] if confirmed is not None else []), *before]
    _keep_keys(it, confirmed)
    _keep_protected(it, known)
    for partition in it.profile.partitions.values():
        if not partition.protected:
            _keep_guards(it, partition, [was for each in known for was in _earlier(partition, each)])


def _earlier(partition: Partition, profile: ProfileRecord) -> Iterator[PartitionRecord]:
    """Yield what a partition was: the one of its name, and those at its place. What was protected had no guards."""
    for name, was in profile.partitions.items():
        is_there = partition.span.overlaps(was.span) if partition.alternate is None is was.alternate else False
        is_same = partition.alternate is not None and partition.alternate == was.alternate
        if not was.protected and (name == partition.name or is_there or is_same):
            yield was


def _keep_keys(it: _Restriction, confirmed: ProfileRecord | None) -> None:
    stands = confirmed.keys if confirmed is not None else {}
    keys = profile_record(it.profile).keys
    for name, value in keys.items():
        if name == WIDE_ON_CRASH or stands.get(name) == value:
            continue
        plain = stands.get(name, NARROW[name])
        former: Any = None if plain is None else read_key(ProfileTable, name, plain, it.profile.file)
        it.profile = replace(it.profile, **{name: former})
        without = "no port is opened" if name == "console" else "none is run"
        it.tell(name, _until_confirmed(value, plain if is_wide(name, plain) else None, without=without))
    if WIDE_ON_CRASH in keys:
        _keep_on_crash(it, keys[WIDE_ON_CRASH], stands.get(WIDE_ON_CRASH))


def _keep_on_crash(it: _Restriction, value: object, stands: object | None) -> None:
    """Let the console that counts by now do by itself what was confirmed, whatever else became of it."""
    if it.profile.console is not None:
        plain = OnCrash.NOTHING.value if stands is None else stands
        former: Any = read_key(Console, ON_CRASH, plain, it.profile.file)
        it.profile = replace(it.profile, console=replace(it.profile.console, on_crash=former))
    if value != stands:
        without = "no board goes back by itself"
        it.tell(ON_CRASH, _until_confirmed(value, stands, without=without), below=("console",))


def _keep_protected(it: _Restriction, known: Iterable[ProfileRecord]) -> None:
    spans = joined(span for record in known for span in record.protected)
    alternates = frozenset[int | str]().union(*(record.protected_alternates for record in known))
    now = joined(it.profile.protected)
    lost = tuple(span for span in spans if not any(each.covers(span) for each in now))
    partitions = dict(it.profile.partitions)
    unsaid = alternates - {each.alternate for each in partitions.values() if each.protected}
    for name, partition in partitions.items():
        if partition.protected:
            continue
        if partition.alternate is None:
            was = any(partition.span.overlaps(span) for span in lost)
        else:
            was = any(may_be_same(partition.alternate, each) for each in unsaid)
        if was:
            partitions[name] = replace(partition, protected=True, image="")
            it.tell("protected", "would be gone; the partition stays protected", below=("partitions", name))
    it.profile = replace(it.profile, partitions=partitions)
    covered = joined(it.profile.protected)
    kept = tuple(span for span in lost if not any(each.covers(span) for each in covered))
    for span in kept:
        it.tell("partitions", f"{span} would not be protected any more; it stays so")
    it.profile = replace(it.profile, kept=kept)


def _keep_guards(it: _Restriction, partition: Partition, known: list[PartitionRecord]) -> None:
    stands = (
        frozenset[AnyGuard]().union(*(_guards(record, it.profile.file) for record in known))
        if known
        else _usual_guards(it.profile, partition)
    )
    lost = stands - partition.guards
    if lost:
        it.profile = replace(
            it.profile,
            partitions={**it.profile.partitions, partition.name: replace(partition, guards=partition.guards | lost)},
        )
        what = f"would be without {_names(lost)}; the image must still pass it"
        it.tell("guards", what, below=("partitions", partition.name))


def _usual_guards(profile: Profile, partition: Partition) -> frozenset[AnyGuard]:
    has_ram = bool(profile.geometry.ram)
    return default_guards(partition, is_alternate=partition.alternate is not None, has_ram=has_ram)


def _guards(record: PartitionRecord, file: Path) -> frozenset[AnyGuard]:
    read: Any = read_key(PartitionTable, "guards", list(record.guards), file)
    return read


def _names(guards: Iterable[AnyGuard]) -> str:
    plain = partition_record(Partition("", Range(0, 0), guards=frozenset(guards))).guards
    return ", ".join(literal(guard) for guard in plain)
