"""`python -m playerscore_cli`: the same as `playerscore`."""

from playerscore_cli.app import main

main()
