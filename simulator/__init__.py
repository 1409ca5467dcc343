"""Simulator of the Jedlix cloud, for the demo, the tests and people without credentials.

It is not Jedlix. What the real API is known to do carries its evidence here: *documented* (seen on
developer.jedlix.com), *SDK* (seen in an official SDK) or *assumed* (A1 to A12, our own guesses; the
table is in `simulator.api.table`). Nothing in this package is needed by the integration itself.
"""
