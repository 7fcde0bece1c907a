"""A real daemon for which the quiet hours without a build are over at once."""

import sys
from functools import partial

from flashdeckd import __main__
from flashdeckd.builds import builds
from flashdeckd.builds.source import WatchfilesSource

builds.WatchfilesSource = partial(WatchfilesSource, quiet_after=0.0)
sys.exit(__main__.main())
