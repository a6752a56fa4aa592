"""Questions about a result, answered from its evidence, word by word."""
