"""Chaos: a real Home Assistant under kill -9s and a faulty Jedlix, and the count of what was lost."""
