"""For west: `west flashdeck app1` flashes what `west build` has built."""

import subprocess
from pathlib import Path

from west.commands import WestCommand

IMAGES = ("zephyr.signed.hex", "zephyr.signed.bin", "zephyr.hex", "zephyr.bin", "zephyr.elf")
"""The first of them that the last build wrote is flashed: a signed image, and one with addresses, before others."""
ONE_BUILD = 10
"""Seconds within which a build writes all of them; what is older was left by an earlier build."""


class FlashdeckCommand(WestCommand):
    """The command; what stands behind its own options goes to `flashdeck flash`."""

    def __init__(self):
        super().__init__("flashdeck", "flash a build through flashdeck", __doc__, accepts_unknown_args=True)

    def do_add_parser(self, parser_adder):
        parser = parser_adder.add_parser(self.name, help=self.help, description=self.description)
        parser.add_argument("partition", help="the partition, as flashdeck's configuration has it")
        parser.add_argument("-d", "--build-dir", default="build", help="the build directory (default: build)")
        parser.add_argument("--image", help=f"the image (default: the first of {', '.join(IMAGES)} in its zephyr/)")
        parser.add_argument("--timeout", default="120", help="seconds that it may take (default: 120)")
        return parser

    def do_run(self, args, unknown):
        image = args.image or self.image_in(Path(args.build_dir, "zephyr"))
        command = ["flashdeck", "flash", args.partition, str(image), "--timeout", args.timeout, "--cancel-on-exit"]
        raise SystemExit(subprocess.call([*command, *unknown]))

    def image_in(self, directory):
        found = [directory / name for name in IMAGES if (directory / name).exists()]
        if not found:
            self.die(f"{directory} has no image: build first, or name one with --image")
        written = {image: image.stat().st_mtime for image in found}
        return next(image for image in found if written[image] >= max(written.values()) - ONE_BUILD)
