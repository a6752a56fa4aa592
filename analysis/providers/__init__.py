"""Whoever can explain a post: which analysts there are. Who is asked, and in which order, is in the settings."""
