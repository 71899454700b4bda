"""Asks the search index of the built documentation for words that people type; each must find its page first.

python .ci/check_search.py site
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lunr import lunr
from lunr.stemmer import PorterStemmer

# What is typed, and the page that answers it. Titles weigh most, as in the theme's search.
WANTED = {
    "pagination": "how-to/pagination/",
    "cursor pagination": "how-to/pagination/",
    "upsert": "how-to/bulk/",
    "bulk insert": "how-to/bulk/",
    "many to many": "how-to/relations/",
    "N+1": "how-to/relations/",
    "connection pool": "how-to/connections/",
    "pgbouncer": "how-to/connections/",
    "soft delete": "how-to/soft-delete/",
    "logging": "how-to/logging/",
    "slow query": "how-to/slow-statements/",
    "prometheus": "how-to/metrics/",
    "opentelemetry": "how-to/tracing/",
    "existing database": "how-to/existing-database/",
    "baseline": "how-to/existing-database/",
    "alembic": "how-to/existing-database/",
    "introspection": "how-to/existing-database/",
    "production": "how-to/deployment/",
    "optimistic locking": "how-to/optimistic-locking/",
    "full text search": "how-to/full-text-search/",
    "enum": "how-to/enums/",
    "failover": "how-to/fail-over/",
    "fail-over": "how-to/fail-over/",
    "fail over": "how-to/fail-over/",
    "patroni": "how-to/fail-over/",
    "read replica": "how-to/replicas/",
    "read your writes": "how-to/replicas/",
    "multi-tenant": "how-to/tenants/",
    "tenants": "how-to/tenants/",
    "row-level security": "how-to/row-level-security/",
    "json": "how-to/json-documents/",
    "data frame": "how-to/data-frames/",
    "polars": "how-to/data-frames/",
    "pandas": "how-to/data-frames/",
    "arrow": "how-to/data-frames/",
    "parquet": "how-to/data-frames/",
    "csv": "how-to/data-frames/",
    "fastapi": "how-to/fastapi/",
    "celery": "how-to/blocking/",
    "django": "coming-from/django/",
    "sqlmodel": "coming-from/sqlmodel/",
    "beanie": "coming-from/beanie/",
    "sqlalchemy": "coming-from/sqlalchemy/",
    "tortoise": "coming-from/tortoise/",
    "prisma": "coming-from/prisma/",
    "install": "get-started/install/",
    "inheritance": "how-to/inheritance/",
    "mixin": "how-to/inheritance/",
    "abstract": "how-to/inheritance/",
    "custom types": "how-to/enums/",
    "jsonb": "how-to/filter-json-arrays/",
    "array": "how-to/filter-json-arrays/",
    "timeout": "how-to/timeouts/",
    "changelog": "changelog/",
    "glossary": "reference/glossary/",
    "docker": "how-to/docker/",
    "admin": "how-to/admin/",
    "jupyter": "how-to/notebooks/",
    "ipython": "how-to/notebooks/",
    "shell": "how-to/notebooks/",
    "environment variables": "how-to/settings/",
    "transactions": "how-to/transactions/",
    "savepoint": "how-to/transactions/",
    "retry": "how-to/transactions/",
    "migrations": "how-to/migrations/",
    "zero downtime": "how-to/zero-downtime/",
    "lint migrations": "how-to/lint-migrations/",
    "rollback": "tutorials/testing-with-rollback/",
    "embedded server": "how-to/embedded-server/",
    "test data": "how-to/make-test-data/",
    "raw sql": "how-to/raw-sql-and-streams/",
    "listen notify": "how-to/raw-sql-and-streams/",
    "copy": "how-to/raw-sql-and-streams/",
    "define tables": "how-to/define-tables/",
    "primary key": "how-to/define-tables/",
    "index": "how-to/define-tables/",
    "query": "how-to/query/",
    "group by": "how-to/query/",
    "aggregate": "how-to/query/",
    "events": "how-to/events/",
    "errors": "how-to/errors/",
    "cheat sheet": "reference/cheat-sheet/",
    "types and values": "reference/types/",
    "troubleshooting": "how-to/troubleshooting/",
    "type checking": "how-to/type-checking/",
    "performance": "explanation/performance/",
}
FIRST = 3
"""Places that count as found here; `.ci/look.py` asks the search of the theme itself for the first place."""


_stem = PorterStemmer().stem


def pages(index: Any, words: str) -> list[str]:
    """The pages that are found, best first, each once."""
    asked = [_stem(word.lower()) for word in words.replace("-", " ").split()]
    scores: dict[str, float] = {}
    for match in index.search(words.replace("+", "\\+")):
        page, _, section = match["ref"].partition("#")
        matched = sum(any(term.startswith(word) for term in match["match_data"].metadata) for word in asked)
        # The theme prefers whole pages to their sections, and results with all words.
        weight = (not section) + matched / len(asked)
        scores[page] = max(scores.get(page, 0.0), match["score"] * (1 + weight**2))
    found = sorted(scores, key=lambda page: -scores[page])
    return [page for page in found if not page.startswith("contributing/")]


def _split(document: dict[str, Any]) -> dict[str, str]:
    """The theme splits words at hyphens."""
    texts = {key: document[key].replace("-", " ") for key in ("title", "text")}
    return {"location": document["location"], **texts}


def main(site: Path) -> int:
    """Prints what is not found; exit status 1 if anything."""
    documents = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    index = lunr(
        ref="location",
        fields=[{"field_name": "title", "boost": 1000}, {"field_name": "text", "boost": 1}],
        documents=[(_split(document), {"boost": document.get("boost", 1)}) for document in documents],
    )
    status = 0
    for words, wanted in WANTED.items():
        found = pages(index, words)
        if wanted not in found[:FIRST]:
            print(f"{words!r}: {wanted} is not among the first {FIRST}: {found[:6]}")
            status = 1
    if not status:
        print(f"{len(WANTED)} searches find their pages")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
