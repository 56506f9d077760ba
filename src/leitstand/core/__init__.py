"""Decisions and the types they speak of. Standard library only: no clock, no randomness, no I/O."""
