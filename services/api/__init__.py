"""The API service: owns the truth, the only process that touches the database."""
