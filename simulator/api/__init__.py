"""REST API of the simulated cloud: a table of endpoints, and a function for each.

It imports `simulator.cloud` and the rooms below that; only `control`, `pages` and `app` import it.
"""
