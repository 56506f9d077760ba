"""`python -m leitstand` is the command `leitstand`."""

from leitstand.cli import main

main()
