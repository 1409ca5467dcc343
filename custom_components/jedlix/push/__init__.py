"""Everything between Jedlix's POST and our state."""
