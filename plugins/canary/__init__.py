"""A kit of a few inputs with their vectors, which a service checks itself with: when it starts, and by the hour."""
