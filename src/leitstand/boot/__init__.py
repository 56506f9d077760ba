"""From a fresh machine to a worker: one program, sent with a launch, and the wheels it fetches."""
