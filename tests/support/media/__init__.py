"""Makers of test media: each one valid, each one easy to break in one place."""
