"""What adapters of providers behind HTTP share: the key, the pace, one call, and what its answer asks
of the caller. An adapter neither retries nor logs nor waits for anything to become so."""
