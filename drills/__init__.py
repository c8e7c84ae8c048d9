"""Drills: what must hold under load, faults and bad input, each a command that prints its figures.

``python -m drills.NAME`` is short enough to run often; ``--long`` is the long form. A drill exits with 1 when a
bound does not hold, and says which.
"""
