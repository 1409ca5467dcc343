"""Push: from Jedlix's POST to a callback, and the registration that brings it here.

May import `api`, `state`, `const` and Home Assistant; knows no coordinator and no store.
"""
