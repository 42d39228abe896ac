"""Load: a generator in its own process, its samples, and what they say."""
