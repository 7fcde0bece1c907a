from pathlib import Path

from flashdeck import paths
from flashdeck_tui.demo.demo_bench import SLOWNESS, slowed
from flashdeckd.virtual.bench_file import read_specs


def test_the_slow_bench_is_as_much_slower_as_it_says_and_else_the_same(tmp_path: Path) -> None:
    quick = paths.data_file("demo", "bench.toml")
    (tmp_path / "bench.toml").write_text(slowed(quick.read_text()))
    for slow, real in zip(read_specs(tmp_path / "bench.toml"), read_specs(quick), strict=True):
        assert round(slow.erase_time / real.erase_time, 6) == SLOWNESS
        assert round(slow.word_time / real.word_time, 6) == SLOWNESS
        assert (slow.name, slow.model, slow.serial, slow.port) == (real.name, real.model, real.serial, real.port)
        assert (slow.runtime, slow.contents) == (real.runtime, real.contents)
