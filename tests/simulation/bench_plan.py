"""The boards of a seed, their bootloaders and chips, and the configuration that names them.

The configuration is a value (`seen.Setup`), so that the rules know what it says without asking the product; `written`
turns it into the file that a person would write.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from flashdeck.config import UsbId
from flashdeck.geometry import Range
from flashdeckd.virtual import zephyr
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.nor import FlashLayout
from flashdeckd.virtual.spec import CLASSIC_MODELS, PLAIN_MODELS, STORES_NOTHING, Content, Model, Start, Timing
from flashdeckd.virtual.spec import PARTITIONS as PLAIN_PARTITIONS
from simulation.firmware import program
from simulation.moods import FAVOUR, Mood
from simulation.night import Night
from simulation.seen import Device, Named, Place, Product, Setup, Signs
from simulation.sim_commands import ENTER
from simulation.speaking import ANY_READY_PATTERN, CRASH, READY_PATTERN
from simulation.watched_flash import WatchedSpec, Witness

BASE = 0x08000000
RAM = Range.sized(0x20000000, 0x40000)
SMALL = FlashLayout(base=BASE, size=32 * 1024, sector=512, word=16, bank=16 * 1024)
"""As small as the rules allow: a few sectors for each partition."""
FULL = FlashLayout()
"""That of an STM32H563."""
FULL_CHIP = "STM32H563RG"
TWO_BANKS = FlashLayout(base=BASE, size=128 * 1024, sector=8 * 1024, word=16, bank=64 * 1024)
"""That of an STM32H503, the smallest chip with two banks: in what `sectors` says there is one, and no canary."""
TWO_BANKS_CHIP = "STM32H503CB"
PROJECT = "project.toml"
"""The file that is included, beside the main one."""
ENTERS = {"detach": 0.6, "command": 0.13, "touch-1200": 0.13, "manual": 0.14}
"""The ways into DFU mode, and how often there is each."""
QUICK = 0.3
"""The share of seeds whose boards are back on the bus at once: nobody sees that they were away."""
SLOW = 0.25
"""The share of seeds whose chips are slow: all else falls into the middle of a flash then."""
SLOW_ERASE = 0.2
"""Seconds of an erase of the largest sector there."""
SLOW_WORD = 0.002
"""Seconds of a word."""
SPEAKING = 0.85
"""The share of profiles with an application on the bus that have a console, in seeds whose boards speak."""
WITHIN = (1.5, 3.0, 5.0)
"""Virtual seconds in which an application has to say that it is ready."""
STAYS = (0.0, 0.0, 1.0, 2.5)
"""Virtual seconds for which that has to stand."""
GOES_BACK = 0.4
"""The share of consoles whose boards go back by themselves after a crash."""
_LIARS = frozenset(
    {
        Model.CLASSIC_NOREAD,
        Model.CLASSIC_TEMPLATE,
        Model.CLASSIC_OLD_NOREAD,
        Model.CLASSIC_OLD_TEMPLATE,
        Model.CLASSIC_STALE,
        Model.CLASSIC_STALE_ERASE,
        Model.CLASSIC_ECHO,
        Model.CLASSIC_CONSTANT,
        Model.ROM_RDP1_SILENT,
    }
)
"""Models whose reads are refused, or not what is in the flash."""
_ALTERNATES = {
    (Model.DAPBOOT, "app1"): "0",
    **{
        (Model.ZEPHYR, name): f'"{alternate}"'
        for (name, _), alternate in zip(PLAIN_PARTITIONS, zephyr.NAMES, strict=True)
    },
}
"""Alternate settings that are named otherwise than their partitions, as they are written."""


@dataclass(frozen=True, slots=True)
class Line:
    """The facts that all boards of a product have in common, beside what the configuration says."""

    product: Product
    model: Model
    layout: FlashLayout
    enter: str
    """The way into DFU mode."""
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """Keys of the profile, as they are written."""

    @property
    def is_full(self) -> bool:
        """True if its flash has the size of a real one."""
        return self.layout is FULL


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """The boards of a seed, and how they are configured at its beginning."""

    specs: tuple[WatchedSpec, ...]
    lines: dict[str, Line]
    setup: Setup

    @classmethod
    def of(cls, seed: random.Random, mood: Mood, night: Night, builds: Path, witness: Witness) -> "BenchPlan":
        """Choose."""
        is_full = seed.random() < 0.1
        count = seed.choice(night.boards)
        is_mixed = mood.is_mixed
        count = max(count, mood.boards)
        products = range(1, seed.choice((1, 1, 2)) + 1)
        lines = [_line(seed, mood, number, builds, is_full=is_full) for number in products]
        if mood.random("included").random() < (0.3 if mood.favours("include") else 0.1):
            lines[0] = replace(lines[0], product=replace(lines[0].product, is_included=True))
        is_quick = mood.random("quick hubs").random() < QUICK
        is_slow = mood.random("slow chips").random() < SLOW
        specs: list[WatchedSpec] = []
        boards: dict[str, Named] = {}
        for port in range(1, count + 1):
            line = lines[port % len(lines)]
            spec = _spec(seed, night, line, port, witness, others=0.6 if is_mixed else 0.2)
            if (signs := line.product.signs) is not None:
                is_plain = spec.serial_port is AppPort.NONE
                spec = replace(
                    spec,
                    serial_port=AppPort.PLAIN if is_plain else spec.serial_port,
                    signs=signs,
                    speech_seed=f"{mood.number}/{spec.name}",
                )
            if is_slow:
                spec = replace(spec, erase_time=SLOW_ERASE, word_time=SLOW_WORD)
            if is_quick:
                spec = replace(spec, attach_time=0.0)
            if mood.favours("used boards"):
                spec = replace(spec, contents=_left_by_others(mood.random(f"used board {port}"), line.product))
            specs.append(spec)
            how = seed.choice(("serial", "port", "port" if is_mixed else "both"))
            name = f"board{port}"
            boards[name] = Named(
                name=name,
                product=line.product,
                serial="" if how == "port" else spec.serial,
                port="" if how == "serial" else f"1-{port}",
            )
        used = {line.product.name: line for line in lines}
        kept = seed.choice((0, 1, 10, 10))
        setup = Setup(
            {name: line.product for name, line in used.items()},
            boards,
            keep_builds=min(kept, 1) if mood.favours("few are kept") else kept,
        )
        return cls(tuple(specs), used, setup)

    def device(self, spec: WatchedSpec) -> Device:
        """Return the facts of a board; its flash is told once it is made."""
        sectors = tuple((each.span.start, each.span.end) for each in spec.layout.sectors())
        return Device(
            name=spec.name,
            base=spec.layout.base,
            content=b"",
            sectors=sectors,
            word=spec.layout.word,
            dfu_id=(spec.dfu.vendor, spec.dfu.product),
            app_id=None if spec.app is None else (spec.app.vendor, spec.app.product),
            serial=spec.serial,
            app_serial=spec.running_serial,
            port=f"1-{spec.port}",
            reads_truly=spec.model not in _LIARS,
            is_stale=spec.model in (Model.CLASSIC_STALE, Model.CLASSIC_STALE_ERASE),
            stores=spec.model not in STORES_NOTHING,
            erases_astray=spec.bank_bug,
            erases_trailer=spec.model is Model.ZEPHYR,
            release=spec.bcd_device,
            own_serial=spec.serial,
        )

    def included(self, setup: Setup) -> str:
        """Return the file of a project that a configuration includes; "" where it includes none."""
        return "\n".join(self._written_product(each) for each in setup.products.values() if each.is_included)

    def written(self, setup: Setup) -> str:
        """Return a configuration as a person would write it."""
        lines = [
            *([f'include = ["{PROJECT}"]\n'] if self.included(setup) else []),
            f'[daemon]\nsettle = "50ms"\nkeep_builds = {setup.keep_builds}\nspool_limit = {setup.spool_limit}\n',
            *(self._written_product(product) for product in setup.products.values() if not product.is_included),
        ]
        for board in setup.boards.values():
            keys = {"profile": board.product.name, "serial": board.serial, "port": board.port}
            lines.append(f"[boards.{board.name}]\n" + _keys((k, f'"{v}"') for k, v in keys.items() if v))
        return "\n".join(lines)

    def _written_product(self, product: Product) -> str:
        line = self.lines[product.name]
        keys = {
            "dfu": f'"{UsbId(*product.dfu_id)}"',
            **({} if product.app_id is None else {"app": f'"{UsbId(*product.app_id)}"'}),
            "leave": _flag(product.leave),
            "verify": f'"{product.verify}"',
            **({"erase": '"partition"'} if product.erase_all else {}),
            **({"trust_cache": "true"} if product.trust_cache else {}),
            **line.keys,
        }
        text = f"[profiles.{product.name}]\n" + _keys(keys.items()) + _written_console(product)
        for place in product.places.values():
            where = {"address": f"0x{place.address:08x}"}
            if product.is_plain:
                where = {"alt": _ALTERNATES.get((line.model, place.name), f'"{place.name}"')}
            keys = {**where, "size": str(place.size)}
            if place.protected:
                keys["protected"] = "true"
            elif place.image:
                keys |= {"image": f'"{place.image}"', "auto": _flag(place.auto)}
                keys["guards"] = "[" + ", ".join(f'"{each}"' for each in sorted(place.guards)) + "]"
            if place.is_data:
                keys["holds"] = '"data"'
            text += f"[profiles.{product.name}.partitions.{place.name}]\n" + _keys(keys.items())
        return text


def _line(seed: random.Random, mood: Mood, number: int, builds: Path, *, is_full: bool) -> Line:
    model = seed.choice((seed.choice((Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT)), seed.choice(list(Model))))
    if mood.is_mixed and seed.random() < 0.6:
        model = Model.CLASSIC
    is_plain = model in PLAIN_MODELS
    layout = FULL if is_full or is_plain else TWO_BANKS if mood.favours("two banks") else SMALL
    chip = {id(FULL): FULL_CHIP, id(TWO_BANKS): TWO_BANKS_CHIP}.get(id(layout), "")
    app = None if seed.random() < 0.1 else (0x0483, 0x5740 + number)
    ways = [share * FAVOUR if mood.favours(way) else share for way, share in ENTERS.items()]
    enter = seed.choices(list(ENTERS), ways)[0] if app is not None else "manual"
    keys = {"enter": f'{{ command = ["{ENTER}"] }}' if enter == "command" else f'"{enter}"'}
    if enter == "manual":
        keys["enter_hint"] = '"press the button"'
    if not is_plain and chip:
        keys["flash"] = f'"{chip}"'
    elif not is_plain:
        keys["sectors"] = f'"{layout.size // layout.sector}*{layout.sector}@0x{BASE:08x}"'
        keys["ram"] = f'"0x{RAM.start:08x}+{RAM.size}"'
    name = f"product{number}"
    kind = seed.choice(("bin", "hex", "hex") if mood.favours("in pieces") else ("bin", "bin", "hex"))
    places = _places(seed, model, layout, builds / name, kind)
    ram_end = {FULL_CHIP: 0x200A0000, TWO_BANKS_CHIP: 0x20008000}.get(chip, RAM.end)
    product = Product(
        name=name,
        places={place.name: place for place in places},
        dfu_id=(0x0483, 0xDF11 + (0 if number == 1 else number)),
        app_id=app,
        ram=() if is_plain else ((RAM.start, ram_end),),
        erase_all=not is_plain and seed.random() < 0.1,
        verify=seed.choice(("auto", "auto", "auto", "always", "never")) if not is_plain else "auto",
        leave=app is None or seed.random() < (0.5 if mood.favours("stays in DFU") else 0.9),
        trust_cache=not is_plain and seed.random() < 0.1,
        is_plain=is_plain,
        signs=_signs(mood.random(f"console {number}")) if mood.has_consoles and app is not None else None,
    )
    return Line(product, model, layout, enter, keys)


def _signs(seed: random.Random) -> Signs | None:
    """Return the signs on the console of a profile; None where it has none."""
    if seed.random() > SPEAKING:
        return None
    signs = Signs(within=seed.choice(WITHIN), stays=seed.choice(STAYS))
    return replace(signs, stays=max(STAYS), goes_back=True) if seed.random() < GOES_BACK else signs


def _written_console(product: Product) -> str:
    """Return the table of a console; while what speaks is protected, nobody says whose version it is."""
    signs = product.signs
    if signs is None:
        return ""
    is_open = not product.places[signs.partition].protected
    keys = {
        "port": '"app"',
        "ready": f"'{READY_PATTERN if is_open else ANY_READY_PATTERN}'",
        "fail": f"['{CRASH}']",
        "within": f'"{signs.within:g}s"',
        "stays": f'"{signs.stays:g}s"',
        **({"partition": f'"{signs.partition}"'} if is_open else {}),
        **({"on_crash": '"rollback"'} if signs.goes_back else {}),
    }
    return f"[profiles.{product.name}.console]\n" + _keys(keys.items())


def _places(seed: random.Random, model: Model, layout: FlashLayout, builds: Path, kind: str) -> Iterable[Place]:
    if model is Model.DAPBOOT:
        yield Place(
            name="app1", address=BASE + 0x2000, size=64 * 1024, image=f"{builds}/app1.bin", guards=frozenset({"fits"})
        )
        return
    if model in PLAIN_MODELS:
        for name, span in PLAIN_PARTITIONS:
            image = f"{builds}/{name}.bin"
            yield Place(name=name, address=span.start, size=span.size, image=image, guards=frozenset({"fits"}))
        return
    if layout is TWO_BANKS:
        yield from _in_two_banks(builds, kind)
        return
    is_full = layout is FULL
    yield Place(name="bootloader", address=BASE, size=128 * 1024 if is_full else 8 * 1024, protected=True)
    first = BASE + (0x20000 if is_full else 0x2000)
    second = BASE + (0x80000 if is_full else 0x4000)
    size = 384 * 1024 if is_full else 8 * 1024
    yield Place(name="app1", address=first, size=size, image=f"{builds}/app1.{kind}")
    yield Place(
        name="partition2", address=second, size=size, image=f"{builds}/partition2.bin", auto=seed.random() < 0.9
    )
    if not is_full:
        data = seed.random() < 0.5
        guards = frozenset({"fits"})
        yield Place(
            name="settings",
            address=BASE + 0x6000,
            size=4096,
            image=f"{builds}/settings.bin",
            guards=guards,
            is_data=data,
        )


def _in_two_banks(builds: Path, kind: str) -> Iterable[Place]:
    """Yield the partitions of a chip whose second bank has no bootloader."""
    yield Place(name="bootloader", address=BASE, size=16 * 1024, protected=True)
    yield Place(name="app1", address=BASE + 0x4000, size=48 * 1024, image=f"{builds}/app1.{kind}")
    yield Place(name="partition2", address=BASE + 0x10000, size=48 * 1024, image=f"{builds}/partition2.{kind}")


def _spec(seed: random.Random, night: Night, line: Line, port: int, witness: Witness, *, others: float) -> WatchedSpec:
    product, model = line.product, line.model
    if model is Model.CLASSIC and seed.random() < others:  # one board of a kind may have another bootloader
        model = seed.choice((Model.CLASSIC_STALE, Model.CLASSIC_STALE_ERASE, Model.CLASSIC_ECHO))
    block = None
    if line.layout is SMALL and model in CLASSIC_MODELS | {Model.USBX, Model.STRICT}:
        block = seed.choice(night.blocks)
    return WatchedSpec(
        name=f"device{port}",
        model=model,
        port=port,
        serial=f"SIM{port:09}",
        dfu=UsbId(*product.dfu_id),
        app=None if product.app_id is None else UsbId(*product.app_id),
        timing=Timing.REAL,
        layout=line.layout,
        ram=() if product.is_plain else tuple(Range(*span) for span in product.ram),
        app_address=product.places["app1"].address,
        start=seed.choice((Start.BOOT, Start.DFU)),
        runtime=line.enter == "detach",
        serial_port=AppPort.TOUCH if line.enter == "touch-1200" else AppPort.NONE,
        transfer_size=block,
        slowdown=seed.choice(night.slowness),
        witness=witness,
    )


def _left_by_others(seed: random.Random, product: Product) -> tuple[Content, ...]:
    """Return what a board has that was used before flashdeck knew it: in each partition something, up to all of it."""
    if product.is_plain:
        return ()
    some = [(place, seed.randint(1024, place.size)) for place in product.places.values()]
    sizes = [(place, seed.choice((0, place.size, part, part, part))) for place, part in some]
    return tuple(
        Content(place.address, program(place.address, size, seed, "0.1"))
        for place, size in sizes
        if place.image and size
    )


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _keys(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in pairs)
