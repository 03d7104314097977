"""Which share of the API's time each layer takes."""
