"""Sets up on a machine what the daemon needs there, and takes it away again."""
