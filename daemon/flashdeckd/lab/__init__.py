"""The boards as part of a lab: a process beside the daemon speaks with a coordinator of labgrid, and who has what."""
