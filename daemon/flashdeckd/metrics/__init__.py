"""The numbers of the daemon for Prometheus, an extra: nothing of it is loaded where [metrics] does not ask."""
