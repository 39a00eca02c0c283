"""Run datasets over repositories: concurrently, within the request budget, with the cost and the outcome of each."""
