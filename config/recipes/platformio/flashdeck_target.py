"""For PlatformIO: `pio run -t flashdeck` builds the program and flashes it.

In platformio.ini:

[env:product]
extra_scripts = post:flashdeck_target.py
custom_flashdeck_partition = app1
custom_flashdeck_boards = left rack-*     ; optional: only these boards
custom_flashdeck_timeout = 120            ; optional
"""

import subprocess

Import("env")  # noqa: F821 - PlatformIO runs this file, and gives it Import


def flash(source, target, env):
    """Flash the program; PlatformIO takes the exit code for its own."""
    boards = env.GetProjectOption("custom_flashdeck_boards", "").split()
    return subprocess.call(
        [
            "flashdeck",
            "flash",
            env.GetProjectOption("custom_flashdeck_partition"),
            str(source[0]),
            *(f"--board={board}" for board in boards),
            f"--timeout={env.GetProjectOption('custom_flashdeck_timeout', '120')}",
            "--cancel-on-exit",
        ]
    )


env.AddCustomTarget(  # noqa: F821 - Import makes it
    name="flashdeck",
    dependencies="$BUILD_DIR/${PROGNAME}.bin",
    actions=flash,
    title="flashdeck",
    description="Flash the program through flashdeck",
)
