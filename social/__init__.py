"""What is out there: posts, their authors, their comments, their media and their words."""
