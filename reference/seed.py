"""Fill the demo's database: accounts, people, readings and findings, sealed as the API seals.

Run by `stack.py` as the schema's owner, with the API's settings and the accounts' passwords in the
environment. What it writes is made up; the amounts are fixed, the secrets are random.
"""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from app.database import transaction
from app.models import ApiKey, AuditEntry, Finding, OracleReading, OracleUser, User
from app.services.accounts import hash_password
from app.services.oracle import life_path, own_words, read_question, read_time
from app.services.security import seal
from app.services.tokens import WRITE, hash_api_key
from sqlalchemy import select

PEOPLE, READINGS, FINDINGS = 50, 200, 30
FIRST = ["Ada", "Bijan", "Chloé", "Dariush", "Elif", "Farah", "Grace", "Hesam", "Ines", "Jalal"]
LAST = ["Ahmadi", "Berger", "Costa", "Daneshvar", "Eriksen"]
MOTHERS = ["Maryam", "Shirin", "Zoë", "Anahita", "Leïla"]
MOTHERS_PERSIAN = ["مریم", "شیرین", "زهرا", "آناهیتا", "لیلا"]
QUESTIONS = [
    "Will the harvest be good this year?",
    "Should I take the new position in Tabriz? 🌙",
    "آیا امسال سفر می‌کنم؟",
    "When will the letter arrive — before or after the holiday?",
    "درباره‌ی آینده‌ی خانه‌مان چه می‌گویی؟ 🏡✨",
    "Is it wise to lend the money? 🤔",
]


def main() -> None:
    """Seed once; an account that is there already means that this was done."""
    dice = random.Random(7)  # amounts and dates only, nothing secret
    now = datetime.now(UTC)
    accounts: dict[str, dict[str, str]] = json.loads(os.environ["NPS_SEED_ACCOUNTS"])
    with transaction() as session:
        if session.scalar(select(User).limit(1)):
            return
        users: dict[str, UUID] = {}
        for name, account in accounts.items():
            user = User(
                username=account["username"],
                password_hash=hash_password(account["password"]),
                role=account["role"],
            )
            session.add(user)
            session.flush()
            users[name] = user.id
        key = hash_api_key(os.environ["NPS_SEED_API_KEY"])
        session.add(ApiKey(user_id=users["user"], name="demo", key_hash=key, scopes=list(WRITE)))
        # The log begins with who was there from the beginning.
        session.add_all(
            AuditEntry(user_id=number, action="user.seed", resource_type="user", success=True)
            for number in users.values()
        )
        # The second user owns little, so that what leaks between the two is easy to see.
        owners = [users["user"]] * 5 + [users["user2"]] + [users["readonly"]] * 2 + [users["admin"]]
        people = []
        for number in range(PEOPLE):
            person = OracleUser(
                owner_id=dice.choice(owners),
                name=f"{FIRST[number % len(FIRST)]} {LAST[number // len(FIRST)]}",
                birthday=date(1950, 1, 1) + timedelta(days=dice.randrange(20_000)),
                mother_name=seal(dice.choice(MOTHERS)),
                mother_name_persian=seal(dice.choice(MOTHERS_PERSIAN)),
                created_at=now - timedelta(days=dice.randrange(1, 300)),
                deleted_at=now if number % 17 == 16 else None,
            )
            session.add(person)
            people.append(person)
        session.flush()
        for number in range(READINGS):
            person = dice.choice(people)
            asked = now - timedelta(minutes=dice.randrange(1, 400_000))
            reading = OracleReading(
                owner_id=person.owner_id,
                created_at=asked,
                deleted_at=now if number % 41 == 40 else None,
            )
            if number % 4 == 0:
                reading.question_type = "time"
                reading.reading_result = read_time(asked)
            else:
                question = dice.choice(QUESTIONS)
                persian = any("\u0600" <= letter <= "\u06ff" for letter in question)
                reading.oracle_user_id = person.id
                reading.question_type = "reading"
                reading.question = seal(question)
                reading.question_persian = seal(question) if persian else None
                reading.reading_result = {
                    **read_question(question),
                    "life_path": life_path(person.birthday),
                }
                if number % 3 == 0:
                    words = own_words(reading.reading_result["number"])
                    reading.ai_interpretation = seal(words)
                    reading.ai_interpretation_persian = seal(
                        "صبر کن؛ آنچه دو بار سنجیده شود می‌ماند."
                    )
            session.add(reading)
        for number in range(FINDINGS):
            secret = os.urandom(32).hex()
            finding = Finding(
                owner_id=dice.choice(owners),
                chain="eth" if number % 2 else "btc",
                address=("0x" if number % 2 else "bc1q") + os.urandom(19).hex(),
                balance=dice.randrange(0, 10**9) / 10**6,
                private_key_enc=seal(secret),
                seed_phrase_enc=seal(f"made up for the demo {secret[:12]}") if number % 3 else None,
            )
            session.add(finding)


if __name__ == "__main__":
    main()
