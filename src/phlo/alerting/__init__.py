"""Alerts: what of a lake is worth telling somebody, told once when it begins and once when it is over.

    config (rules, destinations) → conditions (what holds now) → outbox (what changed, kept until told) → send

The only entry is ``check``; the command line calls it after each run, the server now and then.
"""

from phlo.alerting.check import Checked, check, check_after_run

__all__ = ["Checked", "check", "check_after_run"]
