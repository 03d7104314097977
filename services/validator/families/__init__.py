"""Families of files, each led through its layers: container first, then identity, then content."""
