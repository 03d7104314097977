"""The worker runtime: take a command, hold the claim, run the stage, report, acknowledge."""
