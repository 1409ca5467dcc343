"""Bench: what the integration costs a real Home Assistant, compared with its peers in the same process."""
