"""The desk of the people who run the service: its start page, the thread of a request, the way around."""
