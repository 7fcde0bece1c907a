"""State in words, the same for tables, for the screen and for JSON. Pure."""
