"""Makes the helpers of these tests importable: five packages have tests, so their names begin with the package's."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
