"""Commands that go on with several daemons: one that is lost, away or wrong keeps none of the others up."""

import asyncio
import json
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ExitCode
from hosts_rig import Machines, machines
from rig import firmware, running

pytestmark = pytest.mark.long

OFF = '[hosts.off]\ncommand = ["flashdeck-is-not-here"]\n'


@pytest.fixture
def two(root: Path) -> Machines:
    return machines(root, ("a", "b"), ("left",), more=OFF)


async def test_each_build_goes_to_all_hosts_and_one_that_was_away_gets_the_newest(two: Machines) -> None:
    image = two.directory / "APP1.bin"
    image.write_bytes(firmware("1.0.0"))
    async with (
        running(two.at("a")),
        running(two.at("b")) as there,
        two.typed("follow", "app1", str(image), *two.words, "--jsonl") as follow,
    ):
        await follow.says("a: APP1.bin (flashdeck-test 1.0.0)", "b: APP1.bin (flashdeck-test 1.0.0)")
        image.write_bytes(firmware("1.0.1"))
        await follow.says("a/left app1: done", "b/left app1: done")
        follow.forget()
        await there.stop()
        await follow.says("the daemon at b closed the connection; trying again")
        for version in ("1.0.2", "1.0.3"):
            image.write_bytes(firmware(version))
            await follow.says(f"a: APP1.bin (flashdeck-test {version}) for app1: queued", "a/left app1: done")
            follow.forget()
        await there.restart()
        await follow.says("b: connected again", "1 older build did not get there in time", "b/left app1: done")
        code, out = await follow.interrupted()
        assert "Traceback" not in follow.err
        assert code == ExitCode.INTERRUPTED
        contents = (await there.client.call(api.GetBoards())).boards[0].partitions[1].contents
        assert contents is not None
        assert contents.version == "flashdeck-test 1.0.3"
    lines = [json.loads(line) for line in out.splitlines()]
    builds = [(line["host"], line["build"]["version"]) for line in lines if line.get("build")]
    assert [version[-5:] for host, version in builds if host == "a"] == ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
    assert [version[-5:] for host, version in builds if host == "b"] == ["1.0.0", "1.0.1", "1.0.3"]
    assert {(line["host"], line["job"]["board"]) for line in lines if line.get("job")} == {
        ("a", "a/left"),
        ("b", "b/left"),
    }


async def test_a_host_that_is_away_at_first_is_followed_once_it_is_there(two: Machines) -> None:
    image = two.directory / "APP1.bin"
    image.write_bytes(firmware("1.0.1"))
    async with running(two.at("a")) as here, two.typed("follow", "app1", str(image), *two.words) as follow:
        await follow.says("a: follows", "b: no flashdeckd listens on", "trying again")
        async with running(two.at("b")):
            await follow.says("b: connected", "b: follows", "b: APP1.bin (flashdeck-test 1.0.1) for app1: offered")
            code, _ = await follow.interrupted()
            assert code == ExitCode.INTERRUPTED
        assert (await here.client.call(api.GetBoards())).boards[0].partitions[1].contents is None


async def test_where_no_host_is_there_a_command_that_goes_on_ends_as_with_one(two: Machines) -> None:
    for words in (("follow", "app1", "APP1.bin"), ("logs", "-f")):
        async with two.typed(*words, *two.words) as typed:
            code, _ = await typed.ended()
        assert code == ExitCode.UNREACHABLE
        assert "a: no flashdeckd listens on" in typed.err
        assert "b: no flashdeckd listens on" in typed.err
        assert "on b, start it: " in typed.err, "each has its own thing to do"


async def test_a_host_that_does_not_take_a_build_is_named_and_the_others_get_it(two: Machines) -> None:
    image = two.directory / "APP1.bin"
    image.write_bytes(firmware("1.0.0"))
    other = (two.at("b") / "config.toml").read_text().replace("partitions.app1", "partitions.app9")
    (two.at("b") / "config.toml").write_text(other)
    async with running(two.at("a")), running(two.at("b")):
        async with two.typed("follow", "app1", str(image), *two.words) as follow:
            await follow.says(
                "a: APP1.bin (flashdeck-test 1.0.0)", "error: b: none of these boards has a partition app1"
            )
            image.write_bytes(firmware("1.0.1"))
            await follow.says("a/left app1: done")
        async with two.typed("follow", "app7", str(image), *two.words) as follow:
            code, _ = await follow.ended()
            assert code == ExitCode.NOT_FOUND


async def test_the_log_of_all_hosts_goes_on_without_one_that_is_lost(two: Machines) -> None:
    async with running(two.at("a")) as here, running(two.at("b")) as there:
        async with two.typed("logs", "-f", "-n", "1", *two.words, "--host", "off", "--jsonl") as logs:
            await asyncio.gather(logs.prints('"a"'), logs.says("off has no command"))
            await there.client.call(api.Hold(boards=("left",), reason="lunch"))
            line = json.loads(await logs.prints("on hold: lunch"))
            assert line["log"]["board"] == "b/left"
            await there.stop()
            await logs.says("the daemon at b closed the connection; trying again")
            await here.client.call(api.Hold(boards=("left",), reason="tea"))
            await logs.prints("on hold: tea")
            await there.restart()
            await logs.says("b: connected again")
            await there.client.call(api.Release(boards=("left",)))
            assert json.loads(await logs.prints("released"))["log"]["board"] == "b/left"
            code, _ = await logs.interrupted()
        assert code == ExitCode.INTERRUPTED
