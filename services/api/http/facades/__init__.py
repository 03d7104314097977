"""The dialects: one module per published API document."""
