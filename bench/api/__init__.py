"""The API beside servers of other frameworks."""
