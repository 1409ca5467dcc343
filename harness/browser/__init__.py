"""Browser: Home Assistant's pages and the simulator's, as a person sees them in Chromium."""
