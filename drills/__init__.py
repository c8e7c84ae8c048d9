"""Drills: commands that check the service under load, faults and bad input.

``python -m drills.NAME`` is the short form, ``--long`` the long form. A drill prints its figures, and exits with 1 if a
bound does not hold.
"""
