"""What a post is compared with, how old it must be for that, and numbers as people read them."""
