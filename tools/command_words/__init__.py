"""Makes what is made of the commands: the table of completion, and the man pages. `make schema`."""
