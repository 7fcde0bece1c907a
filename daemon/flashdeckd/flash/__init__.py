"""The flash engine: from an image, a target and what is known of a board to a plan, and to a flash."""
