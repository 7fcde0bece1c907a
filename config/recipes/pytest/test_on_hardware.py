from pathlib import Path


def test_the_board_has_the_build(flashdeck_board):
    assert flashdeck_board.state.presence in {"app", "dfu"}
    assert flashdeck_board.flashed.rows[0].job.version


def test_the_build_can_be_read_back(flashdeck_board):
    contents = flashdeck_board.bench.read("app1", boards=flashdeck_board.name).data
    assert contents.startswith(Path("build/APP1.bin").read_bytes())
