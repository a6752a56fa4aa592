"""Pictures, videos and frames: from where a platform keeps them into our storage, checked on the way."""
