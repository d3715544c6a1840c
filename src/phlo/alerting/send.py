"""How each kind of destination is told; what goes wrong is said without addresses, which may be secret."""

from __future__ import annotations

import http.client
import json
import smtplib
import urllib.error
import urllib.request
from dataclasses import asdict
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from phlo.errors import AlertNotSent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phlo.alerting.config import Destination
    from phlo.alerting.outbox import Message

SIGNS = {"error": "🔴", "warning": "🟡", "info": "🔵"}


def send(destination: Destination, message: Message, *, timeout: float, say: Callable[[str], None]) -> None:
    """Tell one destination; raise ``AlertNotSent`` where it could not be told."""
    if destination.missing:
        raise AlertNotSent(destination=destination.name, detail=f"{', '.join(destination.missing)} is not set")
    try:
        {"slack": _slack, "webhook": _webhook, "email": _email, "console": _console}[destination.type](
            destination.options, message, timeout, say
        )
    except urllib.error.HTTPError as error:
        raise AlertNotSent(destination=destination.name, detail=f"it answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        detail = getattr(reason, "strerror", None) or type(reason).__name__
        raise AlertNotSent(destination=destination.name, detail=detail) from error


def told(message: Message) -> str:
    """Say it in one line.

    >>> from phlo.alerting.outbox import Message
    >>> at = "2024-01-20T14:30:00+00:00"
    >>> told(Message("resolved", "late", "raw.g", "warning", "raw.g was last published 30 hours ago", at, at, "shop"))
    '✅ shop: late is over: raw.g was last published 30 hours ago'
    """
    if message.status == "resolved":
        return f"✅ {message.project}: {message.rule} is over: {message.message}"
    sign = SIGNS.get(message.severity, "")
    return f"{sign} {message.project}: {message.rule}: {message.message}"


def _slack(options: Mapping[str, Any], message: Message, timeout: float, _: Callable[[str], None]) -> None:
    body = {"text": told(message)} | ({"channel": options["channel"]} if options.get("channel") else {})
    _post(options["webhook"], body, {}, timeout)


def _webhook(options: Mapping[str, Any], message: Message, timeout: float, _: Callable[[str], None]) -> None:
    _post(options["url"], asdict(message), options.get("headers") or {}, timeout)


def _email(options: Mapping[str, Any], message: Message, timeout: float, _: Callable[[str], None]) -> None:
    to = options["to"]
    mail = EmailMessage()
    mail["Subject"] = " ".join(told(message).split())[:200]
    mail["From"] = options.get("from") or "phlo@localhost"
    mail["To"] = to if isinstance(to, str) else ", ".join(to)
    mail.set_content("\n".join(f"{name}: {value}" for name, value in asdict(message).items()))
    with smtplib.SMTP(options.get("host") or "localhost", int(options.get("port") or 25), timeout=timeout) as server:
        if options.get("starttls"):
            server.starttls()
        if options.get("user"):
            server.login(options["user"], options.get("password") or "")
        server.send_message(mail)


def _console(_: Mapping[str, Any], message: Message, __: float, say: Callable[[str], None]) -> None:
    say(told(message))


def _post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: float) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError("no web address")
    data = json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        answer.read()
