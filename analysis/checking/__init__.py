"""What can be wrong with a claim, told from its words, its numbers and what it cites."""
