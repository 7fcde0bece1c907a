"""All that a person can do on the screen: one registry, from which keys, key bar, help and palette come."""
