"""Where posts are collected: one vendor, one file; the registry says which there are."""
