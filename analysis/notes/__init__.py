"""What somebody noted of a result: their own words, kept to the letter."""
