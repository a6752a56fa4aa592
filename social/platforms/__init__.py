"""Which platforms there are, and the one way from what a person pasted to a post."""
