"""What does a supervised process do first? It ties its life to its parent's, then becomes the module it was started for.

python -m labmw.watch.supervised MODULE ARGUMENTS...
"""

from __future__ import annotations

import runpy
import sys

from labmw.watch.lifeline import hold_on


def main() -> None:
    """Hold on to the parent and run the module as if it had been started itself."""
    hold_on()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
