"""The worker, its lanes, marks and takeover on an event loop with virtual time, thousands of seeded schedules.

A seed decides every delay, answer, kill, pause and change of owner, so a failing seed replays exactly. P1, P2 and P5
are judged at the end of each run, from what senders were told, what recipients saw, and what stands on the log.
"""
