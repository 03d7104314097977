"""How fast masters are fetched, beside the open tools: ``python -m bench.download``."""
