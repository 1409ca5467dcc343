"""Chaos: a real Home Assistant under kill -9s and a lying network, and the count of what it lost."""
