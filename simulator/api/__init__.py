"""The stand-in for Jedlix's REST API: a table of endpoints, and a function for each."""
