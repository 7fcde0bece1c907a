"""What is plugged in and what was built, found without asking anybody: `flashdeckd scan`."""
