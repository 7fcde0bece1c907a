"""Who may connect beside the daemon's own user and root: members of a group, as the name service has it."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flashdeck.api import GetStatus, Hold, ReloadConfig
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck.value import Value
from flashdeckd.host import clock
from flashdeckd.host.accounts import Account
from flashdeckd.server import members as members_module
from flashdeckd.server.connection import Connection
from flashdeckd.server.deeds import LONGEST_DEED, deed_text
from flashdeckd.server.group_door import DoorGroup
from flashdeckd.server.members import (
    FRESH_SECONDS,
    KEPT_USERS,
    LONGEST_USER,
    LOOKUP_SECONDS,
    MOST_LOOKUPS,
    Members,
    Visitor,
)
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub

GROUP = DoorGroup("bench", 4100, "lab")
ALICE = Account("alice", frozenset({1, GROUP.number}))
MALLORY = Account("mallory", frozenset({1}))
KNOWN = {4001: ALICE, 4002: MALLORY}


class NameService:
    """Answers from a table, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, uid: int) -> Account | None:
        self.asked.append(uid)
        return KNOWN.get(uid)


class Clock:
    """Time that passes by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "monotonic", made)
    return made


async def refusal(members: Members, uid: int) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await members.looked_up(uid)
    assert caught.value.kind is ErrorKind.NO_PERMISSION
    return caught.value


async def test_a_member_is_let_in_by_name_and_others_are_told_why_not() -> None:
    members = Members(GROUP, look_up=NameService())
    assert members.at_once(4001) is None, "it has to be looked up"
    assert await members.looked_up(4001) == Visitor(4001, "alice", is_owner=False)
    error = await refusal(members, 4002)
    assert "no member of the group bench" in error.message
    assert "usermod -aG bench" in error.hint
    assert "no member of the group bench" in (await refusal(members, 4003)).message, "an account that is gone"


def test_the_daemons_own_user_and_root_need_no_lookup_and_have_names_where_others_come() -> None:
    members = Members(GROUP, look_up=NameService())
    assert members.at_once(0) == Visitor(0, "root", is_owner=True)
    assert Members().at_once(0) == Visitor(0, "", is_owner=True)
    with pytest.raises(FlashdeckError, match="uid 4001 may not connect"):
        Members().at_once(4001)


async def test_an_answer_counts_for_a_while_and_then_one_who_left_the_group_stays_out(time: Clock) -> None:
    service = NameService()
    members = Members(GROUP, look_up=service)
    await members.looked_up(4001)
    time.now += FRESH_SECONDS
    assert members.at_once(4001) == Visitor(4001, "alice", is_owner=False)
    assert service.asked == [4001]
    time.now += 0.001
    assert members.at_once(4001) is None


async def test_so_many_users_are_kept_and_the_oldest_is_asked_for_again() -> None:
    members = Members(GROUP, look_up=lambda uid: Account(f"user{uid}", frozenset({GROUP.number})))
    for uid in range(5000, 5000 + KEPT_USERS):
        await members.looked_up(uid)
    assert members.at_once(5000) is not None
    await members.looked_up(4999)
    assert members.at_once(5000) is None
    assert members.at_once(5001) is not None


async def test_a_name_is_cleaned_and_cut() -> None:
    members = Members(GROUP, look_up=lambda _: Account("\x1b[31m" + "x" * 99, frozenset({GROUP.number})))
    visitor = await members.looked_up(4001)
    assert len(visitor.name) == LONGEST_USER
    assert visitor.name.isprintable()


async def test_a_configuration_that_names_the_group_no_more_closes_the_door_at_once() -> None:
    named = [GROUP.name]
    members = Members(GROUP, in_force=lambda: named[0], look_up=NameService())
    await members.looked_up(4001)
    named[0] = ""
    with pytest.raises(FlashdeckError, match="may not connect"):
        members.at_once(4001)


async def test_a_name_service_that_hangs_keeps_nobody_else_out(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module, "LOOKUP_SECONDS", 0.05)
    assert LOOKUP_SECONDS > members_module.LOOKUP_SECONDS
    asked, answer = threading.Event(), threading.Event()

    def hang(_uid: int) -> Account | None:
        asked.set()
        answer.wait(60)
        return ALICE

    uids = [4001]
    server = Server(hub, {}, peer_uid=lambda _: uids[-1], members=Members(GROUP, look_up=hang))
    try:
        async with server.listening(path):
            late = asyncio.create_task(Client.connect(path, client="late"))
            await asyncio.to_thread(asked.wait, 60)
            uids.append(0)
            async with await Client.connect(path, client="root") as client:
                await client.call(GetStatus())
            with pytest.raises(ConnectionFailedError, match="does not answer") as caught:
                await late
            assert caught.value.kind is ErrorKind.NO_PERMISSION
    finally:
        answer.set()


async def test_so_many_are_looked_up_at_a_time() -> None:
    answer = threading.Event()
    members = Members(GROUP, look_up=lambda _: ALICE if answer.wait(60) else None)
    waiting = [asyncio.create_task(members.looked_up(uid)) for uid in range(MOST_LOOKUPS)]
    await asyncio.sleep(0)
    assert "others wait" in (await refusal(members, MOST_LOOKUPS)).message
    answer.set()
    assert {visitor.name for visitor in await asyncio.gather(*waiting)} == {"alice"}


@pytest.fixture
def as_user(hub: Hub) -> Callable[[int], Server]:
    """A server for whom everybody has the same uid."""

    async def hold(_params: Value, _connection: Connection) -> Value:
        raise FlashdeckError("it was asked")

    def made(uid: int) -> Server:
        return Server(
            hub,
            {Hold: hold, ReloadConfig: hold},
            peer_uid=lambda _: uid,
            members=Members(GROUP, look_up=NameService()),
        )

    return made


@pytest.mark.parametrize(("uid", "name"), [(0, "root"), (4001, "alice")])
async def test_the_log_says_who_asked_for_what(
    hub: Hub, path: Path, as_user: Callable[[int], Server], uid: int, name: str
) -> None:
    async with as_user(uid).listening(path), await Client.connect(path, client="test") as client:
        with pytest.raises(FlashdeckError, match="it was asked"):
            await client.call(Hold(boards=("left", "r*"), reason="x"))
    assert [line.text for line in hub.logs()] == [f"{name} asked: hold left r*"]


async def test_a_member_has_no_say_in_what_the_daemon_may_start(path: Path, as_user: Callable[[int], Server]) -> None:
    async with as_user(4001).listening(path), await Client.connect(path, client="test") as client:
        with pytest.raises(FlashdeckError, match=r"config\.reload") as caught:
            await client.call(ReloadConfig())
    assert caught.value.kind is ErrorKind.NO_PERMISSION
    async with as_user(0).listening(path), await Client.connect(path, client="test") as client:
        with pytest.raises(FlashdeckError, match="it was asked"):
            await client.call(ReloadConfig())


def test_a_deed_is_told_in_bounded_length_and_what_only_asks_is_not() -> None:
    told = deed_text("alice", Hold(boards=tuple(f"board-{number}" for number in range(999))))
    assert len(told) <= len("alice asked: ") + LONGEST_DEED
    assert not deed_text("alice", GetStatus())
