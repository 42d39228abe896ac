"""What the routes are made of."""
