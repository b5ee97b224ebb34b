"""`python -m labmw` is the command labmw."""

from labmw.cli import main

main()
