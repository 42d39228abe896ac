"""Query plans: getting them without changing anything, and reading them."""
