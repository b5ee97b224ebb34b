"""What can be asked of the simulators? A scenario, or one simulated device alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from simulators import alone, command
from simulators.errors import SimulatorError
from simulators.interlab import interlab
from simulators.partner_lab import partner
from simulators.partner_requester import requester
from simulators.plain import plain

ALONE = {
    "analyzer": alone.analyzer,
    "host": alone.host,
    "lis": alone.lis,
    "nullmodem": alone.nullmodem,
    "record": alone.record,
    "interlab": interlab,
    "partner": partner,
    "plain": plain,
    "requester": requester,
}


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0: all sent and acknowledged, 1: not all, 2: the question was wrong."""
    try:
        if arguments and arguments[0] in ALONE:
            return ALONE[arguments[0]](arguments[1:])
        return command.scenario(arguments)
    except SimulatorError as error:
        command.tell(str(error))
        return command.WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
