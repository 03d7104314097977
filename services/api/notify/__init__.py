"""Sending events to those who subscribed: by webhook and by mail."""
