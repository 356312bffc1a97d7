"""Indexing and serving: add_documents, the serving note's claims, many clients at once, and similarity probabilities."""
