"""`make limits`: which of the product's limits no test would miss."""
