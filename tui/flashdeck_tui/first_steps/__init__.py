"""The dialogue of `flashdeck init`: from a plugged board to a configuration, and what is done with it."""
