"""Runs the plugin from the archive: the packages for every Python, then those for this one."""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [
    os.path.join(here, "common"),
    os.path.join(here, f"{sys.version_info[0]}.{sys.version_info[1]}"),
]
sys.argv = sys.argv[1:]

if sys.argv[0] == "kubectl_complete-scoring":
    from playerscore_cli.app import complete_for_kubectl as main
else:
    from playerscore_cli.app import main

main()
