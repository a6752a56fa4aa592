"""What the service costs, measured side by side with bare Django and the textbook stack."""
