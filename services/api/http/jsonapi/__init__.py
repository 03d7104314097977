"""The JSON:API engine: one declared description per resource."""
