"""Screenshots: the pictures of the documentation and of the brand, made with Chromium."""
