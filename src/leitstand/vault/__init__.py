"""What keeps media and what people wrote unreadable to everyone else: envelopes, keys, seals."""
