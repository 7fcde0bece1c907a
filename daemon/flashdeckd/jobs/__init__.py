"""Jobs: the book of them, and the lane that runs those of one board."""
