"""Django's PostgreSQL backend, with a pool that notices a lost server without asking it."""
