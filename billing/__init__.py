"""Money: what providers charge, what they say about it, and which plan follows from that."""
