"""What went on inside, and how every record of what happened reaches its table."""
