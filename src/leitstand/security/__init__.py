"""Who is at the other end of a connection: the internal authority and the workers' listener."""
