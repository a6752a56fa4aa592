"""The tables of the money."""
