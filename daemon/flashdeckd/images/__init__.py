"""Image files: what they hold, whether they belong where they are going, and where they are kept."""
