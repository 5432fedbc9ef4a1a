"""The store port and its engines: platforms, object state, CDR memory, resync marks, rewritten URLs."""
