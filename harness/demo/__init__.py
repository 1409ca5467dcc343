"""The demo: a charging day, told by real webhooks in a real Home Assistant, on one screen."""
