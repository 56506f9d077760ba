"""Work on an instance: lease, decrypt, decode, analyse, hand back findings, forget."""
