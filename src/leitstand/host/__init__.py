"""What the machine under us is and can spare, measured. A leaf: anyone but `core` may import it."""
