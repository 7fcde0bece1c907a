"""The doctor's look at the machine around the daemon: one module a kind of finding."""
