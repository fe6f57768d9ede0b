"""`python -m bessemer` is the command `bessemer`."""

from bessemer.cli import main

main()
