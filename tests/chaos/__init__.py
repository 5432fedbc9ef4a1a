"""The hub is killed with -9, ended and stopped under a steady mixed load; then every promise is judged.

    load ──HTTP──> hub (real processes, killed again and again on the same data) ──HTTP──> platforms
     │ what senders were told                │ the log and the marks                       │ what recipients saw
     └──────────────────────────────> tests.judging: P1, P2, P5 <───────────────────────────┘

Senders and recipients live in the harness process and survive the hub, which is either one process on its embedded
engine (`run`, `hub`, `ledger`) or a fleet: edges behind a balancer, workers, a Kafka and a MongoDB, all of which are
killed and stopped (`fleet_run`, `fleet`, `troubles`, `pauses`, `kafka_ledger`). Recipients that are away for long,
hang, reset, answer too late and flap are a run of their own, of either (`away_run`, `away_load`, `moods`, `sites`,
`memory`).
`python -m tests.chaos` also breaks the hub on purpose (tests.switches): a run that does not find that fails.
"""
