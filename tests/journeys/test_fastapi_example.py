"""The example application under uvicorn with two workers, driven over HTTP."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi"
TOKEN = {"Authorization": "Bearer for-the-test"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_two_workers(isolated_db: object) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "SHOP_DATABASE": isolated_db.dsn,
        "SHOP_TOKEN": "for-the-test",
        "PYTHONPATH": str(EXAMPLE),
    }  # type: ignore[attr-defined]
    command = ["uvicorn", "shop.main:app", "--workers", "2", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=EXAMPLE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{url}/health").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until and server.poll() is None
                time.sleep(0.1)
        product = {"name": "Ink", "price": "4.50", "stock": 20}
        assert httpx.post(f"{url}/products", json=product, headers=TOKEN).status_code == 201
        statuses = asyncio.run(orders(url))
        left = httpx.get(f"{url}/products/1").json()["stock"]
        assert statuses[201] == 20 - left and set(statuses) <= {201, 409, 503}
        assert statuses[201] > 0
        taken = httpx.get(f"{url}/orders?size=1", headers=TOKEN).json()
        assert taken["total"] == statuses[201]
        assert httpx.get(f"{url}/openapi.json").json()["info"]["title"] == "Shop"
    finally:
        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=30)
    workers = set(re.findall(r"Started server process \[(\d+)\]", output))
    assert len(workers) == 2, output
    assert output.count("Application shutdown complete") == 2, output
    assert "Traceback" not in output, output


async def orders(url: str) -> Counter[int]:
    """Many customers at once want the same product."""
    body = {"customer": "Ann", "lines": [{"product_id": 1, "amount": 1}]}
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=8, max_keepalive_connections=0), timeout=30
    ) as client:
        answers = await asyncio.gather(*(client.post(f"{url}/orders", json=body) for _ in range(30)))
    return Counter(answer.status_code for answer in answers)
