"""`python -m data_bridge.testing server …` where the `data-bridge` script is not at hand."""

import sys

from data_bridge.testing.command import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(arguments[1:] if arguments[:1] == ["server"] else arguments))
