"""Readers: what a file's structures say, bounded and seeking."""
