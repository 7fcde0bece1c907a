"""The devices that are plugged in and the builds of a directory, found without asking anybody: `flashdeckd scan`."""
