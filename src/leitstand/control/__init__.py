"""The imperative shell: gather facts, decide in `core`, act in one transaction, write down why."""
