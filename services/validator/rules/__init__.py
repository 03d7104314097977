"""Rules: each one a small function in a registry."""
