"""What more workers bring, and who waits for whom."""
