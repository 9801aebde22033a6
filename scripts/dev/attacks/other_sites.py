"""Attacks by web sites that a visitor has open, and by those who guess passwords."""

from __future__ import annotations

from collections import Counter

import requests

from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import small_zip

PASSWORD = "correct horse battery staple"  # noqa: S105 - of the server under attack only


@attack("foreign page", "another site's form uploads in a visitor's name", alone=True, AISR_ACCESS_TOKEN=PASSWORD)
def foreign_page(target: Target) -> AttackOutcome:
    """With the password that the browser has kept for this server."""
    statuses = []
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = requests.post(
            f"{target.address}/upload",
            files={"file": ("a.zip", small_zip())},
            headers=headers,
            auth=("visitor", PASSWORD),
            timeout=TIMEOUT_SECONDS,
        )
        statuses.append(answer.status_code)
    return AttackOutcome(statuses == [403] * 3, f"answers {', '.join(map(str, statuses))}")


@attack("guessed passwords", "30 wrong passwords", alone=True, AISR_ACCESS_TOKEN=PASSWORD, AISR_SIGN_IN_ATTEMPTS="4")
def guessed_passwords(target: Target) -> AttackOutcome:
    """One after the other."""
    statuses: Counter[int] = Counter()
    for number in range(30):
        address = f"{target.address}/api/v1/models"
        answer = requests.get(address, auth=("x", f"guess {number}"), timeout=TIMEOUT_SECONDS)
        statuses[answer.status_code] += 1
    logged = target.log.read_text(errors="replace").count("sign-in refused")
    return AttackOutcome(statuses[401] <= 4 and logged > 0, f"{statuses[401]} of 30 were looked at, {logged} logged")


@attack("open path", "an address that ends like a health check's", alone=True, AISR_ACCESS_TOKEN=PASSWORD)
def open_path(target: Target) -> AttackOutcome:
    """Which needs no password."""
    status = requests.get(f"{target.address}/x/api/health/live", timeout=TIMEOUT_SECONDS).status_code
    return AttackOutcome(status == 401, f"answer {status}")
