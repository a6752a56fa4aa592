"""What the service is measured against: the least Django can do, and what its textbooks do."""
