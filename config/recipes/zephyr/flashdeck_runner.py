"""For `west flash`: a runner that flashes through flashdeck."""

from runners.core import RunnerCaps, ZephyrBinaryRunner


class FlashdeckBinaryRunner(ZephyrBinaryRunner):
    """Flashes the hex file of a build, or else its bin or elf file."""

    def __init__(self, cfg, partition, boards, timeout):
        super().__init__(cfg)
        self.partition = partition
        self.boards = boards
        self.timeout = timeout

    @classmethod
    def name(cls):
        return "flashdeck"

    @classmethod
    def capabilities(cls):
        return RunnerCaps(commands={"flash"})

    @classmethod
    def do_add_parser(cls, parser):
        parser.add_argument("--partition", required=True, help="the partition, as flashdeck's configuration has it")
        parser.add_argument("--flashdeck-board", action="append", default=[], help="only this board: a name or a glob")
        parser.add_argument("--flashdeck-timeout", default="120", help="seconds that it may take (default: 120)")

    @classmethod
    def do_create(cls, cfg, args):
        return cls(cfg, args.partition, args.flashdeck_board, args.flashdeck_timeout)

    def do_run(self, command, **kwargs):
        self.require("flashdeck")
        image = self.cfg.hex_file or self.cfg.bin_file or self.cfg.elf_file
        boards = [f"--board={board}" for board in self.boards]
        options = [*boards, "--timeout", self.timeout, "--cancel-on-exit"]
        self.check_call(["flashdeck", "flash", self.partition, image, *options])
