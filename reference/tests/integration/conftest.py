"""A running stack, by the variables that `stack.py env` tells."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import httpx
import pytest

Login = Callable[[str], httpx.Client]


def new_client() -> httpx.Client:
    """A client of the running stack; with NPS_IN_PROCESS, of the application in this process.

    Only what runs in this process can be counted in a coverage report.
    """
    if os.environ.get("NPS_IN_PROCESS"):
        from app.main import app
        from fastapi.testclient import TestClient

        return TestClient(app, client=("127.0.0.1", 50_000), raise_server_exceptions=False)
    return httpx.Client(base_url=os.environ["NPS_BASE_URL"], timeout=10)


@pytest.fixture(scope="session")
def anonymous() -> Iterator[httpx.Client]:
    with new_client() as client:
        yield client


@pytest.fixture(scope="session")
def login() -> Iterator[Login]:
    """Clients of the demo's accounts, each logged in once."""
    clients: dict[str, httpx.Client] = {}

    def log_in(name: str) -> httpx.Client:
        if name not in clients:
            client = new_client()
            answer = client.post("/api/auth/login", json=credentials(name)).raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            clients[name] = client
        return clients[name]

    yield log_in
    for client in clients.values():
        client.close()


def credentials(name: str) -> dict[str, str]:
    """What an account logs in with."""
    return {
        "username": os.environ[f"NPS_{name.upper()}_USERNAME"],
        "password": os.environ[f"NPS_{name.upper()}_PASSWORD"],
    }
