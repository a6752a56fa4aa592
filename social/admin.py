"""The desk for posts."""
