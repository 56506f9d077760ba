"""Leitstand: a control room for rented GPUs that analyse media."""

__version__ = "0.1.0"
