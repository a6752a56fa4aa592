"""The analysis through kills, outages and vendors at their worst: real workers, and what must hold afterwards."""
