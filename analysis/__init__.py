"""The product: from an address to an answer whose every reason can be opened, and nothing lost on the way."""
