"""Load generators: wrk for a closed loop, :mod:`benchmarks.load.generator` for an open one."""
