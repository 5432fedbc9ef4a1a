"""`serve` is killed with -9, and ended with SIGTERM, under a steady mixed load; then every promise is judged.

    load ──HTTP──> hub (a real process, killed again and again on one HUB_DATA) ──HTTP──> platforms
     │ what senders were told                │ the log and the marks                       │ what recipients saw
     └──────────────────────────────> tests.judging: P1, P2, P5 <───────────────────────────┘

Senders and recipients live in the harness process and survive the hub. `python -m tests.chaos` also breaks the hub on
purpose (tests.switches): a run that does not find that fails.
"""
