"""Django's PostgreSQL backend, which notices a lost server without asking it."""
