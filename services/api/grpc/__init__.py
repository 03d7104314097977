"""The gRPC door: thin servicers over the use cases."""
