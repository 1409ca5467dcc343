"""The pictures of the documentation, taken in a real browser."""
