"""What a master sounds like: one streaming pass over its samples, in constant memory."""
