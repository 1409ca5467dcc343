"""Demo: a charging day with real webhooks in a real Home Assistant, on one screen."""
