"""Requests to the boards: by a person, by a build, and by whoever waits for an image."""
