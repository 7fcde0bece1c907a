"""Image files: what they hold, whether they belong where they go, and the spool."""
