"""Logs, and the word that a service is ready."""
