"""What the published models of the peers cost, each run in an environment of its own."""
