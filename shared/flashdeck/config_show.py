"""A checked configuration, written out: as TOML that reads back to the same, and as plain values for JSON."""

from collections.abc import Iterator, Sequence

from flashdeck.config import AnyGuard, Board, Config, CrcGuard, Guard, Partition, Profile
from flashdeck.geometry import format_ranges, format_sectors
from flashdeck.paths import BOARD_FILE_NAME
from flashdeck.toml_text import header, quoted

Scalar = str | int | bool | Sequence["str | dict[str, str]"]


def to_builtins(config: Config) -> dict[str, object]:
    """The resolved values under the keys of the file, defaults included, as JSON can carry them."""
    return {
        "files": [str(file) for file in config.files],
        "profiles": {
            name: {**_profile(profile), "partitions": {p.name: _partition(p) for p in profile.partitions.values()}}
            for name, profile in config.profiles.items()
        },
        "boards": {name: _board(board) | _pinned(board) for name, board in config.boards.items()},
        "disarmed": sorted(config.disarmed),
    }


def to_toml(config: Config) -> str:
    """The resolved values, defaults included, as one file without includes.

    What boards.toml has is in comments, since a person's file may not have it: with that file beside it, the text reads
    back to the same.
    """
    lines = [f"# {quoted(str(file))}" for file in config.files] or ["# no configuration file"]
    for name, profile in config.profiles.items():
        lines += _table(("profiles", name), _profile(profile))
        for partition in profile.partitions.values():
            lines += _table(("profiles", name, "partitions", partition.name), _partition(partition))
    own = [board for board in config.boards.values() if board.pins is None]
    for board in own:
        lines += _table(("boards", board.name), _board(board))
    return "\n".join([*lines, *(f"# {line}".rstrip() for line in _board_file(config))]) + "\n"


def _board_file(config: Config) -> Iterator[str]:
    adopted = [board for board in config.boards.values() if board.pins is not None]
    if adopted or config.disarmed:
        yield from ("", f"{BOARD_FILE_NAME}, which flashdeckd writes:")
    if config.disarmed:
        yield f"disarmed = {_value('disarmed', sorted(config.disarmed))}"
    for board in adopted:
        yield from _table(("boards", board.name), _board(board))
        for values in _pinned(board).values():
            present = {key: value for key, value in values.items() if value != ""}
            yield from _table(("boards", board.name, "pinned"), present)


def _profile(profile: Profile) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {"dfu": str(profile.dfu)}
    if profile.app:
        values["app"] = str(profile.app)
    values["enter"] = profile.enter.value
    if profile.enter_hint:
        values["enter_hint"] = profile.enter_hint
    values["leave"] = profile.leave
    if profile.is_plain:
        return values | {"verify": profile.verify.value, "poll": profile.poll.value}
    if profile.chip:
        values["flash"] = profile.chip
    else:
        values["sectors"] = format_sectors(profile.geometry)
        if profile.geometry.ram:
            values["ram"] = format_ranges(profile.geometry.ram)
    return values | {
        "map": profile.map.value,
        "erase": profile.erase.value,
        "verify": profile.verify.value,
        "poll": profile.poll.value,
        "banks": profile.banks.value,
        "trust_cache": profile.trust_cache,
    }


def _partition(partition: Partition) -> dict[str, Scalar]:
    at: dict[str, Scalar] = (
        {"address": partition.span.start} if partition.alternate is None else {"alt": partition.alternate}
    )
    values = at | {"size": partition.span.size, "holds": partition.holds.value}
    if partition.vectors is not None:
        values["vectors"] = _offset(partition.vectors)
    if partition.protected:
        return values | {"protected": True}
    if partition.version is not None:
        values["version"] = partition.version.text
    if partition.image:
        values["image"] = partition.image
    if partition.alternate is None:
        values["outside"] = partition.outside.value
    if partition.base is not None:
        values["base"] = partition.base
    return values | {
        "auto": partition.auto,
        "guards": _guards(partition.guards),
        "settle": _duration(partition.settle),
    }


def _guards(guards: frozenset[AnyGuard]) -> list[str | dict[str, str]]:
    names = sorted(guard.value for guard in guards if isinstance(guard, Guard))
    crcs = sorted((guard for guard in guards if isinstance(guard, CrcGuard)), key=repr)
    return [*names, *map(_crc, crcs)]


def _crc(guard: CrcGuard) -> dict[str, str]:
    values = {
        "crc": guard.crc.value,
        "at": "end" if guard.at is None else _offset(guard.at),
        "from": _offset(guard.start),
    }
    if guard.end is not None:
        values["to"] = _offset(guard.end)
    if guard.length is not None:
        values["length"] = _offset(guard.length)
    values["order"] = guard.order.value
    return values if guard.field is None else values | {"field": guard.field.value}


def _offset(offset: int) -> str:
    return f"+0x{offset:x}"


def _board(board: Board) -> dict[str, Scalar]:
    optional = {"serial": board.serial, "port": board.port}
    return {"profile": board.profile.name, **{key: value for key, value in optional.items() if value}}


def _pinned(board: Board) -> dict[str, dict[str, Scalar]]:
    return {} if board.pins is None else {"pinned": {"map": board.pins.map, "bcd_device": board.pins.bcd_device}}


def _duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    # Whole milliseconds are what people write; anything finer keeps all its digits.
    return f"{milliseconds}ms" if milliseconds / 1000 == seconds else f"{seconds!r}s"


def _table(path: tuple[str, ...], values: dict[str, Scalar]) -> Iterator[str]:
    yield ""
    yield header(*path)
    for key, value in values.items():
        yield f"{key} = {_value(key, value)}"


def _value(key: str, value: Scalar) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _number(key, value)
        case str():
            return quoted(value)
        case _:
            return f"[{', '.join(_item(item) for item in value)}]"


def _item(item: str | dict[str, str]) -> str:
    if isinstance(item, str):
        return quoted(item)
    return f"{{ {', '.join(f'{key} = {quoted(value)}' for key, value in item.items())} }}"


def _number(key: str, value: int) -> str:
    if key == "alt":
        return str(value)
    digits = {"address": 8, "base": 8, "bcd_device": 4}.get(key)
    return f"0x{value:0{digits}x}" if digits else _size(value)


def _size(size: int) -> str:
    return f'"{size // 1024}K"' if size % 1024 == 0 else str(size)
