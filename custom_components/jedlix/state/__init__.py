"""State of the followed users: what is known, what changed, what is due.

Pure: may import `api` and `const`, and nothing of Home Assistant.
"""
