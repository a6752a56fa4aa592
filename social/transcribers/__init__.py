"""From speech to words: the registry of transcribers."""
