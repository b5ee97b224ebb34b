"""`python -m simulators`: plays a scenario, or one simulated device alone."""

from __future__ import annotations

import sys

from simulators.command import main

sys.exit(main(sys.argv[1:]))
