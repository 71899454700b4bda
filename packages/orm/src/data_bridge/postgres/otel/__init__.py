"""Spans and metrics of OpenTelemetry; needs the extra `data-bridge-orm[otel]`.

>>> from data_bridge.postgres.otel import instrument
>>> instrumentation = instrument()
>>> instrumentation.end()
"""

from importlib.util import find_spec

if find_spec("opentelemetry") is None:  # pragma: no cover - the tests have it
    raise ImportError("data_bridge.postgres.otel needs OpenTelemetry: pip install 'data-bridge-orm[otel]'")

from data_bridge.postgres.otel.instrumentation import Instrumentation, instrument
from data_bridge.postgres.otel.traceparent import traceparent

__all__ = ["Instrumentation", "instrument", "traceparent"]
