"""`python -m seamscope`."""

from seamscope.cli import main

main()
