"""A child process that reads what nobody vouches for: limited, confined, and never left behind."""
