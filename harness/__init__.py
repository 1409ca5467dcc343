"""A real Home Assistant process in a folder of its own, driven from outside.

The demo, the chaos run, the bench, the browser tests and the screenshots all
need the same thing: a Home Assistant that nobody has to set up by hand, that can
be killed and started again, and that leaves nothing behind. This package is that
thing; it imports nothing of Home Assistant and nothing of the integration.
"""
