"""Where media live: on disk with signed links, or in Supabase Storage."""
