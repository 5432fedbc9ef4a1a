"""The kinds of trouble that a run makes, by their names in what is printed."""

from __future__ import annotations

KILL = "kill"
TERM = "SIGTERM"
"""Of an embedded hub, which is one process."""

KILL_EDGE = "kill edge"
KILL_WORKER = "kill worker"
KILL_BROKER = "kill broker"
KILL_MONGOD = "kill mongod"
TERM_EDGE = "SIGTERM edge"
TERM_WORKER = "SIGTERM worker"
STOP_WORKER = "SIGSTOP worker"
STOP_BROKER = "SIGSTOP broker"
KINDS = (KILL_EDGE, KILL_WORKER, KILL_BROKER, KILL_MONGOD, TERM_EDGE, TERM_WORKER, STOP_WORKER, STOP_BROKER)
