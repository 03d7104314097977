"""How fast a master is judged, beside the open tools: ``python -m bench.validate``."""
