"""The current span as a comment on statements."""

from __future__ import annotations

from opentelemetry import trace

__all__ = ["traceparent"]


def traceparent() -> dict[str, str]:
    """Returns the W3C `traceparent` of the current span if it is sampled, for `add_annotator(traceparent, once=True)`.

    The server's log and `auto_explain` then name the trace. The statement of a sampled span is not kept prepared.

    >>> from data_bridge.postgres import add_annotator, remove_annotator
    >>> from data_bridge.postgres.otel import traceparent
    >>> add_annotator(traceparent, once=True); remove_annotator(traceparent)
    """
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return {}
    return {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"}
