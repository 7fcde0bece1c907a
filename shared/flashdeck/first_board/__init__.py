"""The way from what a machine knows to a first configuration: builds, chips, and a map of partitions."""
