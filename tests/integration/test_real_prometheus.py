"""A real Prometheus reads the numbers of a real daemon, and answers all questions of dashboard and manual."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from flashdeck import api
from flashdeckd.metrics.metric_list import METRICS, MetricKind
from flashdeckd.metrics.metrics_token import TOKEN_NAME
from metrics_scene import answer_of, request
from needed_tools import need
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running
from slot_bench import GOOD, begin_lot, prepare_slots, swap

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "config/grafana/flashdeck.json").read_text())
PAGE = (ROOT / "docs/metrics.md").read_text()
BOARDS = '[boards.left]\nprofile = "product"\nserial = "A1"\n[boards.right]\nprofile = "product"\nserial = "B2"\n'
BENCH = board("left", 1, serial="A1") + board("right", 2, serial="B2")
OF_PROMETHEUS: Final = {"instance", "job", "le"}
"""Labels that it adds, and the one of a bucket."""
MAY_BE_EMPTY: Final = ("flashdeck_verdicts_total", "flashdeck_units_total", "> 0", "> 3", "> 10", "== 0", "== 1")
"""Questions whose answer is nothing where all is well."""
VARIABLES: Final = {
    '=~"$instance"': '=~".*"',
    "$__rate_interval": "1m",
    "$__range": "1h",
}
LOOK_AGAIN = 0.1


def expressions() -> list[str]:
    """Every expression of the dashboard and of the page, with the variables of Grafana replaced."""
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    alerts = re.findall(r"(?m)^ +expr: (.*)$", PAGE)
    said = re.findall(r"`([^`\n]*\([^`\n]*flashdeck_[^`\n]*)`", PAGE)
    assert len(shown) >= 14
    assert len(alerts) == 5
    assert len(said) == 1
    found = [*shown, *alerts, *said]
    for variable, value in VARIABLES.items():
        found = [each.replace(variable, value) for each in found]
    assert not [each for each in found if "$" in each]
    return found


def samples_of(name: str) -> set[str]:
    """The labels of a sample's metric; raises KeyError where there is none of this name."""
    known: dict[str, set[str]] = {}
    for metric in METRICS:
        endings = (
            ("_bucket", "_sum", "_count")
            if metric.kind is MetricKind.HISTOGRAM
            else (metric.shown[len(metric.name) :],)
        )
        known |= {metric.name + ending: set(metric.labels) for ending in endings}
    return known[name]


@pytest.mark.parametrize("expression", expressions())
def test_each_expression_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    names = re.findall(r"\bflashdeck_\w+", expression)
    labels = set(re.findall(r"(\w+)(?:=~|!=|=)\"", expression))
    grouped = {each.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for each in group.split(",")}
    if not names:
        assert expression == 'up{job="flashdeck"} == 0'
        return
    assert labels | grouped <= OF_PROMETHEUS.union(*(samples_of(name) for name in names))


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    for number, one in enumerate(places):
        assert one["x"] + one["w"] <= 24
        for other in places[:number]:
            beside = one["x"] >= other["x"] + other["w"] or other["x"] >= one["x"] + one["w"]
            assert beside or one["y"] >= other["y"] + other["h"] or other["y"] >= one["y"] + one["h"]
    legends = {
        (target["expr"], each)
        for panel in panels
        for target in panel["targets"]
        for each in re.findall(r"{{(\w+)}}", target["legendFormat"])
    }
    for expression, label in legends:
        assert re.search(rf"\bby \([^)]*\b{label}\b", expression), (expression, label)


class Prometheus:
    """A real one, asked over its API."""

    def __init__(self, port: int) -> None:
        self._at = f"http://127.0.0.1:{port}/api/v1"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def get(self, path: str, **words: str) -> Any:
        def get() -> Any:
            with self._opener.open(f"{self._at}/{path}?{urllib.parse.urlencode(words)}", timeout=10) as answer:
                return json.load(answer)["data"]

        return await asyncio.to_thread(get)

    async def values(self, query: str) -> list[Any]:
        return (await self.get("query", query=query))["result"]

    async def until(self, query: str) -> list[Any]:
        """Return the answer once there is one: nobody tells when it has asked again."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (found := await self.values(query)):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(LOOK_AGAIN)
        return found

    async def until_up(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    targets: list[Any] = (await self.get("targets"))["activeTargets"]
                except OSError:  # it does not listen yet
                    targets = []
                if targets and all(each["health"] == "up" for each in targets):
                    return
                assert not [each for each in targets if "401" in each["lastError"]]
                await asyncio.sleep(LOOK_AGAIN)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def prometheus(root: Path, port: int) -> AsyncGenerator[Prometheus]:
    """One that asks the daemon in `root` at this port, twice a second, as the page's configuration does."""
    block = re.search(r"(?s)<!-- file: prometheus.yml -->\n```yaml\n(.*?)```", PAGE)
    alerts = re.search(r"(?s)<!-- file: flashdeck-alerts.yml -->\n```yaml\n(.*?)```", PAGE)
    assert block is not None
    assert alerts is not None
    config = block[1].replace("127.0.0.1:9820", f"127.0.0.1:{port}")
    config = config.replace(".local/state/flashdeck/metrics-token", str(root / "state" / TOKEN_NAME))
    home = root / "prometheus"
    home.mkdir()
    (home / "prometheus.yml").write_text(f"global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n{config}")
    (home / "flashdeck-alerts.yml").write_text(alerts[1])
    own = free_port()
    words = (
        "prometheus",
        f"--config.file={home}/prometheus.yml",
        f"--storage.tsdb.path={home}/data",
        f"--web.listen-address=127.0.0.1:{own}",
        "--log.level=warn",
    )
    process = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "GOMAXPROCS": "1"}
    )
    try:
        yield Prometheus(own)
    finally:
        process.terminate()
        _, said = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    assert process.returncode == 0, said
    assert b"level=error" not in said, said


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def bench(root: Path, port: int) -> Iterator[Path]:
    need("prometheus", "promtool", packages="prometheus")
    prepare(root, boards=f'[metrics]\nlisten = "127.0.0.1:{port}"\n{BOARDS}', bench=BENCH)
    yield root
    shutil.rmtree(root / "prometheus", ignore_errors=True)


async def flash(rig: Rig, version: str) -> None:
    rig.build(firmware(version))
    await rig.wait(data=firmware(version))


async def test_it_reads_the_numbers_and_answers_each_question(bench: Path, port: int) -> None:
    async with running(bench) as rig:
        await rig.until_logged("metrics: http")
        async with prometheus(bench, port) as asked:
            await asked.until_up()
            assert len(await asked.until('flashdeck_jobs_total{kind="flash",result="done",partition="app1"} == 0')) == 2
            await flash(rig, "1.0.0")
            await asked.until('sum(flashdeck_jobs_total{result="done"}) == 2')
            await flash(rig, "1.0.1")
            await asked.until('sum(flashdeck_jobs_total{result="done"}) == 4')
            await asked.until('sum(increase(flashdeck_jobs_total{result="done"}[1m])) > 2')
            (build,) = await asked.values("flashdeck_build_info")
            assert build["metric"]["version"] == "0.1.0"
            (current,) = await asked.values('flashdeck_boards{state="current"}')
            assert current["value"][1] == "2"
            for expression in expressions():
                found = await asked.values(expression)  # one that is not understood is answered with 400
                assert found or any(each in expression for each in MAY_BE_EMPTY), expression
            known = await asked.get("targets/metadata", match_target='{job="flashdeck"}')
            told = {each["metric"]: (each["type"], each["help"]) for each in known}
            # It asks for OpenMetrics, in which the endings do not belong to the name of a family.
            assert {metric.name: (metric.kind.value, metric.meaning) for metric in METRICS} == told
            await rig.unplug("right")
            await asked.until('flashdeck_board_present{board="right"} == 0')
            rules = (await asked.get("rules"))["groups"][0]["rules"]
            assert len(rules) == 5
            assert not [each for each in rules if each["health"] == "err"]


async def test_it_reads_what_becomes_of_the_units_of_a_lot(bench: Path, port: int) -> None:
    prepare_slots(bench, 2, boards=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    async with running(bench) as rig:
        await rig.until_logged("metrics: http")
        async with prometheus(bench, port) as asked:
            await asked.until_up()
            await asked.until('flashdeck_slots{state="empty"} == 2')
            assert len(await asked.until("flashdeck_units_total == 0")) == 6, "from the beginning: each step is seen"
            await begin_lot(rig, GOOD, count=3)
            await swap(rig, "u1")
            await swap(rig, "u2", fault="error-write")
            for state in ("passed", "failed"):
                await asked.until(f'flashdeck_slots{{state="{state}"}} == 1')
            assert len(await asked.until("flashdeck_slot_occupied == 1")) == 2
            for result, number in (("wanted", 3), ("passed", 1), ("failed", 1)):
                await asked.until(f'flashdeck_lot_units{{result="{result}"}} == {number}')
            for name in ("u1", "u2"):
                await rig.unplug(name)
            await asked.until('flashdeck_units_total{slot="s1",result="passed"} == 1')
            await asked.until('flashdeck_units_total{slot="s2",result="failed"} == 1')
            await asked.until('sum by (result) (increase(flashdeck_units_total{result="failed"}[1m])) > 0')
            await rig.client.call(api.EndLot())
            await asked.until("flashdeck_lots == 0")


async def test_promtool_finds_nothing_to_say(bench: Path, port: int) -> None:
    async with running(bench) as rig:
        await rig.until_logged("metrics: http")
        await flash(rig, "1.0.0")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(port, token=(bench / "state" / TOKEN_NAME).read_text().strip()))
        page = answer_of(await reader.read()).body
        writer.close()
        await writer.wait_closed()
        found = await asyncio.to_thread(
            subprocess.run, ("promtool", "check", "metrics"), input=page, capture_output=True, check=False
        )
        assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
