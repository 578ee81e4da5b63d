"""bluesky plans and stubs, typed by protocols of their own."""
