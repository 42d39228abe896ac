"""How findings look: in notebooks, in the terminal, and in the signed assessment."""
