"""From what a machine knows to a first configuration: builds that were found, chips, and a map of partitions."""
