"""Benchmarks of the service and of the servers that it is compared with. Never imported by ``app``."""
