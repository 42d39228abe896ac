"""Watch the API and tell a Telegram chat when it stops or starts being ready."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
import urllib.request
from pathlib import Path

ALIVE = Path("/tmp/alive")  # what the container's health check looks at
PAUSE_SECONDS = 30


def ready(base: str) -> bool:
    """Whether the API says that it is ready."""
    try:
        with urllib.request.urlopen(f"{base}/api/readiness", timeout=10) as answer:
            return bool(json.load(answer)["status"] == "ready")
    except (OSError, ValueError, KeyError):
        return False


def tell(token: str, chat: str, text: str) -> None:
    """Send one message."""
    content = urllib.parse.urlencode({"chat_id": chat, "text": text}).encode()
    urllib.request.urlopen(
        f"https://api.telegram.org/bot{token}/sendMessage", content, timeout=10
    ).close()


def main() -> None:
    """Tell of every change, and keep trying when Telegram does not listen."""
    token, chat = os.environ["NPS_BOT_TOKEN"], os.environ["NPS_BOT_CHAT_ID"]
    base, told = os.environ["NPS_BOT_API_URL"], True
    while True:
        now = ready(base)
        if now != told:
            try:
                tell(token, chat, "The API is ready again." if now else "The API is not ready.")
                told = now
            except OSError:
                print(json.dumps({"level": "error", "message": "Telegram does not answer"}))
        ALIVE.touch()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
