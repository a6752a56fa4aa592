"""An analysis in the terminal: carried by the command itself, watched, and told as a report."""
