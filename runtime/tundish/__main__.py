"""`python -m tundish` is the `tundish` command."""

from tundish.cli import main

main()
