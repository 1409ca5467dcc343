"""Bench: what the integration costs a real Home Assistant, against its peers in the same process."""
