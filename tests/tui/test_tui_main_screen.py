"""The main screen under the hands of a person: marks, orders, groups, partitions, queue, wall, several hosts."""

from typing import cast

from flashdeck.job_state import Failed
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.board_list import Grouping, SortOrder
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.middle import Middle
from flashdeck_tui.screens.main import RESORT
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.tiles import TILE_LINES
from flashdeck_tui.widgets.rows import Rows
from flashdeck_tui.widgets.wall import Wall
from many_boards import ERASE_FAILED, bench, rack
from tui_hands import Screen, opened
from tui_scene import NOW, FakeLink, event, job


def rows_of(screen: Screen) -> Rows:
    return screen.app.main.query_one(f"#{Middle.BOARDS}", Rows)


def listed(screen: Screen) -> list[str]:
    return [row.key.board for row in rows_of(screen).rows if row.key.board]


def fails(screen: Screen, board: str, number: int) -> None:
    screen.app.fleet.hosts[0].store.take(event(job=job(number, board, Failed(failure=ERASE_FAILED))))
    screen.app.refresh_views()


async def test_left_and_right_choose_a_partition_and_another_board_ends_the_choice() -> None:
    async with opened(bench(4)) as screen:
        board = screen.app.main.selection
        seen: list[str] = []
        for key in ("right", "right", "right", "left", "left", "left"):
            await screen.press(key)
            seen.append(screen.app.main.selection.partition)
        assert seen == ["app1", "part2", "part2", "app1", "", ""]
        await screen.press("right", "down")
        assert screen.app.main.selection.board != board.board
        assert screen.app.main.selection.partition == ""


async def test_marks_are_what_a_key_is_for_and_outlive_the_filter() -> None:
    async with opened(bench(24)) as screen:
        await screen.press("slash", *"rack-02", "enter", "asterisk")
        assert len(screen.app.context().targets) == 5
        assert "5 boards marked" in rows_of(screen).note
        await screen.press("escape")
        await screen.press("slash", *"failed", "enter")
        assert "5 boards marked, 5 of them not shown" in rows_of(screen).note
        assert {place.board for place in screen.app.context().targets} == {f"rack-{n:03d}" for n in range(20, 25)}
        await screen.press("escape", "escape")
        assert [place.board for place in screen.app.context().targets] == ["rack-007"]


async def test_space_marks_and_goes_on_and_a_second_time_takes_the_mark_away() -> None:
    async with opened(bench(3)) as screen:
        await screen.press("space", "space")
        assert [row.key.board for row in rows_of(screen).rows if row.sign] == listed(screen)[:2]
        await screen.press("home", "space")
        assert [row.key.board for row in rows_of(screen).rows if row.sign] == listed(screen)[1:2]


async def test_orders_and_groups_go_round_and_a_head_is_closed_with_enter() -> None:
    async with opened(bench(12)) as screen:
        for order in (SortOrder.NAME, SortOrder.STATE, SortOrder.VERSION, SortOrder.FLASHED, SortOrder.WORST):
            await screen.press("s")
            assert screen.app.main.listing.order is order
        await screen.press("z")
        assert screen.app.main.listing.grouping is Grouping.PROFILE
        await screen.press("home", "enter")
        assert [row.is_head for row in rows_of(screen).rows] == [True]
        await screen.press("enter")
        assert len(listed(screen)) == 12


async def test_the_order_stays_while_keys_are_pressed_and_the_cursor_with_its_board() -> None:
    async with opened(bench(8)) as screen:
        main, now = screen.app.main, 1000.0
        vars(main)["_clock"] = lambda: now
        await screen.press("down", "down")
        board, order = main.selection.board, listed(screen)
        fails(screen, "rack-008", 400)
        assert listed(screen) == order, "nothing moves away under the finger"
        now += RESORT
        fails(screen, "rack-008", 401)
        assert listed(screen)[:2] == ["rack-007", "rack-008"]
        assert main.selection.board == board


async def test_a_long_list_keeps_the_selected_board_visible() -> None:
    async with opened(bench(100)) as screen:
        await screen.press("end")
        rows = rows_of(screen)
        screen.app.main.select(Selection(board="rack-060"))
        await screen.settle()
        screen.app.main.take_listing(screen.app.main.listing.next_order())
        await screen.settle()
        at = [row.key for row in rows.rows].index(Selection(board="rack-060"))
        assert rows.scroll_offset.y <= at < rows.scroll_offset.y + rows.size.height - 1


async def test_the_queue_and_the_wall_take_the_middle_and_escape_goes_back() -> None:
    async with opened(bench(24)) as screen:
        main = screen.app.main
        await screen.press("2")
        assert main.selection.job == 205, "what runs comes first"
        await screen.press("escape", "w")
        wall = main.query_one(Wall)
        assert wall.has_focus
        assert wall.count == 24
        await screen.press("right", "down", "left")
        assert main.selection.board == wall.rows[wall.size.width // 20].key.board or wall.selected == main.selection
        board = main.selection.board
        await screen.press("w")
        assert main.middle is Middle.BOARDS
        assert main.selection.board == board, "the cursor goes with its board"


async def test_a_click_points_at_one_row_and_one_tile() -> None:
    async with opened(bench(24)) as screen:
        await screen.pilot.click(f"#{Middle.BOARDS}", offset=(5, 3))
        await screen.settle()
        assert screen.app.main.selection.board == listed(screen)[2]
        await screen.press("w")
        await screen.pilot.click(Wall, offset=(30, 1))
        await screen.settle()
        wall = screen.app.main.query_one(Wall)
        assert screen.app.main.selection.board == wall.rows[1].key.board


async def test_each_line_of_tiles_begins_below_all_of_the_one_before() -> None:
    async with opened(bench(24)) as screen:
        await screen.press("w")
        wall = screen.app.main.query_one(Wall)
        begin = [y for y in range(2 * TILE_LINES) if "rack-" in wall.render_line(y).text]
        assert begin == [0, TILE_LINES]


async def test_of_two_hosts_one_that_is_away_blocks_nothing() -> None:
    links: list[FakeLink] = []
    for count in (2, 3):
        store = Store()
        store.take(bench(count))
        links.append(FakeLink(store))
    hosts = [FleetHost(name, link.store, cast("Link", link)) for name, link in zip(("a", "b"), links, strict=True)]
    app = FlashdeckApp(Fleet(hosts), clock=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(app, links[0], pilot)
        app.refresh_views()
        await screen.settle()
        first = rows_of(screen).rows[0]
        assert (first.key.host, first.cells[0].text) == ("b", "‖ b/rack-003")
        links[1].state = LinkState(LinkStatus.DISCONNECTED, "it is away", "wait")
        app.refresh_views()
        await screen.settle()
        assert [row.key.host for row in rows_of(screen).rows if row.stale] == ["b"] * 3
        await screen.select(Selection(board="rack-001", host="a"))
        assert app.context().host.name == "a"
        assert "flash" in screen.enabled()
        await screen.select(Selection(board="rack-001", host="b"))
        assert "flash" not in screen.enabled()


async def test_the_last_of_two_wishes_where_the_cursor_is_to_go_wins() -> None:
    async with opened(bench(24)) as screen:
        main = screen.app.main
        main.open_middle(Middle.QUEUE)
        await screen.settle()
        main.open_middle(Middle.BOARDS)  # which goes to the board of the job that was selected
        main.select(Selection(board="rack-020"))
        await screen.settle()
        assert main.selection == Selection(board="rack-020")
        main.open_middle(Middle.QUEUE)
        main.select(Selection(board="rack-003", partition="app1"))
        main.open_middle(Middle.WALL)
        await screen.settle()
        assert main.selection.whole_board == Selection(board="rack-003")


async def test_a_board_that_came_while_the_queue_was_shown_can_be_gone_to() -> None:
    async with opened(bench(5)) as screen:
        screen.app.main.open_middle(Middle.QUEUE)
        await screen.settle()
        store = screen.app.fleet.hosts[0].store
        store.take(event(seq=store.revision + 2, board=rack(99)))
        screen.app.main.select(Selection(board="rack-099", partition="app1"))
        await screen.settle()
        assert screen.app.main.selection == Selection(board="rack-099", partition="app1")
