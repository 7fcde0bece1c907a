"""The metrics as one list: named as Prometheus wants it, few in number whatever happens, and as the manual has them."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from flashdeck.job_state import SETTLED, STATUSES
from flashdeck.model import BoardState, DaemonState, JobState, Origin, PartitionState, Presence, Trouble
from flashdeck.problems import ProblemKind
from flashdeck.slot_state import UnitResult
from flashdeckd.metrics.hub_collector import FRESH_SECONDS, HubCollector
from flashdeckd.metrics.job_tally import JobTally
from flashdeckd.metrics.metric_list import METRICS, OTHER_PART, PARTS, MetricKind, part_of
from flashdeckd.state.hub import Hub
from job_states import EVERY
from set_clock import set_clock
from slot_scene import LOT, SERIAL, slots

ROOT = Path(__file__).resolve().parents[3]
BOUNDED = {
    "board",
    "partition",
    "profile",
    "kind",
    "result",
    "phase",
    "verdict",
    "state",
    "part",
    "version",
    "controller",
    "slot",
}
parsed_openmetrics: Callable[[str], Iterable[Metric]] = getattr(openmetrics_parser, parsed_text.__name__)
"""The same for the newer format; it has no types of its own."""
SECRETS = ("aa" * 32, "SERIAL-1", "/home/ann", "1-4.2")
"""The things that are no labels: a hash, a serial, a path, a port."""


def scene(boards: int = 2) -> tuple[Hub, HubCollector]:
    hub = Hub(DaemonState(version="1.2.3", pid=1, instance="i", host="h", started_at=5.0))
    tally = JobTally(())
    for number in range(boards):
        partitions = (
            PartitionState(name="bootloader", address=0, size=1, protected=True),
            PartitionState(name="app1", address=1, size=1, current=True),
        )
        hub.publish_board(
            BoardState(
                name=f"b{number}",
                profile="product",
                presence=Presence.DFU,
                serial="SERIAL-1",
                port="1-4.2",
                partitions=partitions,
            )
        )
    hub.listen(lambda event: tally.hear(event.job, "product") if event.job is not None else None)
    for number, status in enumerate(EVERY, 1):
        job = JobState(
            id=number,
            board="b0",
            partition="app1",
            sha256="aa" * 32,
            size=1,
            origin=Origin.HAND,
            status=EVERY[0],
            created_at=1.0,
        )
        hub.publish_job(job)
        hub.publish_job(replace(job, status=status, finished_at=9.0))
    trouble = Trouble(part="included /home/ann/fw.toml", text="t", since=1.0)
    hub.publish_daemon(replace(hub.daemon, troubles=(trouble,)))
    return hub, HubCollector(hub, tally)


def text(accept: str = "") -> str:
    return scene()[1].page(accept)[0].decode()


def test_names_units_and_labels_are_as_prometheus_wants_them() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"flashdeck_[a-z]+(_[a-z]+)*", metric.name)
        assert not metric.name.endswith(("_total", "_info", "_count", "_sum", "_bucket", "_created"))
        assert set(metric.labels) <= BOUNDED
        assert metric.meaning.endswith(".")
        if metric.kind is MetricKind.HISTOGRAM:
            assert metric.name.endswith("_seconds")


def test_both_formats_are_read_by_others_and_say_the_same() -> None:
    plain = {each.name: each for each in parsed_text(text())}
    open_ = {each.name: each for each in parsed_openmetrics(text("application/openmetrics-text; version=1.0.0"))}
    for metric in METRICS:
        # The older format knows no info, and has the ending in the name of a family.
        first, second = plain[metric.shown] if metric.shown in plain else plain[metric.name], open_[metric.name]
        assert (second.type, second.documentation) == (metric.kind, metric.meaning)
        assert {(each.name, *each.labels.items(), each.value) for each in first.samples} == {
            (each.name, *each.labels.items(), each.value) for each in second.samples
        }


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/openmetrics-text; version=x", "text/plain;version=y", ";,=", "\xff"]
)
def test_any_wish_for_a_format_is_answered(accept: str) -> None:
    page, kind = scene()[1].page(accept)
    assert page.startswith(b"# HELP flashdeck_build_info")
    assert kind.startswith("text/plain")


def test_no_hash_no_serial_no_path_and_no_job_is_a_label() -> None:
    shown = text()
    assert 'flashdeck_degraded{part="included"} 1.0' in shown
    for secret in SECRETS:
        assert secret not in shown
    names = {name for line in shown.splitlines() for name in re.findall(r'(\w+)="', line)}
    assert names <= BOUNDED | {"le"}


def test_what_is_in_the_list_is_what_the_states_are() -> None:
    shown = text()
    for kind in ProblemKind:
        assert f'flashdeck_boards{{state="{kind.value}"}}' in shown
    unsettled = sum('flashdeck_unfinished_jobs{board="b0"' in line for line in shown.splitlines())
    assert unsettled == len(STATUSES) - len(SETTLED) - 1  # one that only a newer daemon knows is none of them
    assert 'flashdeck_jobs_total{board="b0",kind="flash",partition="app1",result="done"} 1.0' in shown
    assert (
        'flashdeck_jobs_total{board="b1",kind="flash",partition="app1",result="failed"} 0.0' in shown
    )  # from the beginning
    assert "bootloader" not in shown


def test_a_board_that_is_gone_leaves_the_numbers() -> None:
    hub, collector = scene()
    hub.forget_boards(["b0"])
    assert b'"b0"' not in collector.page("")[0]


def test_slots_and_lots_are_counted_without_the_names_of_lots_and_serials() -> None:
    hub, collector = scene()
    bench = slots(6, LOT, replace(LOT, name="autumn", count=50, passed=1, failed=0))
    for slot in bench.slots:
        hub.publish_slot(slot)
        hub.publish_board(BoardState(name=slot.name, profile="product", presence=Presence.ABSENT, slot=True))
    for lot in bench.lots:
        hub.publish_lot(lot)
    hub.units_gone.update({("jig-01", UnitResult.PASSED): 3, ("gone", UnitResult.PASSED): 5})
    shown = collector.page("")[0].decode()
    for line in (
        'flashdeck_slots{state="passed"} 3.0',
        'flashdeck_slots{state="occupied"} 0.0',
        'flashdeck_slot_occupied{slot="jig-06"} 0.0',
        'flashdeck_slot_info{profile="product",slot="jig-01"} 1.0',
        'flashdeck_units_total{result="passed",slot="jig-01"} 3.0',
        'flashdeck_units_total{result="failed",slot="jig-01"} 0.0',
        "flashdeck_lots 2.0",
        'flashdeck_lot_units{result="wanted"} 150.0',
        'flashdeck_lot_units{result="passed"} 13.0',
        'flashdeck_lot_units{result="failed"} 2.0',
        'flashdeck_boards{state="absent"} 0.0',
    ):
        assert line in shown.splitlines(), line
    assert not [each for each in ("spring-7", "autumn", SERIAL, '"gone"') if each in shown]
    hub.forget_boards([slot.name for slot in bench.slots])
    assert "jig-01" not in collector.page("application/openmetrics-text")[0].decode()


def test_they_are_put_together_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = set_clock(monkeypatch)
    hub, collector = scene()
    first = collector.page("")
    hub.publish_daemon(replace(hub.daemon, version="1.2.4"))
    clock.seconds += FRESH_SECONDS * 0.9
    assert collector.page("") == first
    clock.seconds += FRESH_SECONDS * 0.2
    assert b'version="1.2.4"' in collector.page("")[0]


@pytest.mark.parametrize(
    ("part", "label"),
    [
        ("usb", "usb"),
        ("board left", "board"),
        ("boards.toml", "boards.toml"),
        ("device 1-4.2", "device"),
        ("consoles", "console"),
        ("something new", OTHER_PART),
    ],
)
def test_parts_have_few_names(part: str, label: str) -> None:
    assert part_of(Trouble(part=part, text="t", since=1.0)) == label


def test_every_part_that_is_reported_has_a_name_of_its_own() -> None:
    reported: set[str] = set()
    for file in (ROOT / "daemon/flashdeckd").rglob("*.py"):
        reported |= set(re.findall(r'health\.report\(\s*f?"([^"{]+)', file.read_text()))
    assert len(reported) > 10
    assert [part for part in reported if not part.startswith(PARTS)] == []


def test_the_manual_has_each_metric_as_it_is() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"(?m)^\| `(flashdeck_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", page)
    for metric, (name, kind, labels, meaning) in zip(METRICS, rows, strict=True):
        assert (name, kind) == (metric.shown, metric.kind)
        assert tuple(re.findall(r"`(\w+)`", labels)) == metric.labels
        assert meaning == metric.meaning.removesuffix(
            " Counts from 0 when the daemon starts or the endpoint is opened."
        )
