"""For all tests: searches by hypothesis have no deadline, because a loaded machine is no fault of the code."""

from hypothesis import settings

settings.register_profile("flashdeck", deadline=None)
settings.load_profile("flashdeck")
