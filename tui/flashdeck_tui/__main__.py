"""`python -m flashdeck_tui`: the command `flashdeck`, for those who start it with the interpreter that they run on."""

import sys

from flashdeck_tui.cli import main

sys.exit(main())
