"""The worker: reads the log, keeps object state, and sees that every recipient gets what it should.

    log ──read──> admit (expired? poison? state before fan-out) ──> slots of the recipients' lanes ──> sender
                                                                        │ delivered, refused, marked, replied
    log <─commit── tracker (contiguous prefix) <── outcome record <─────┘ settled for every recipient

The log is not the queue: the worker reads on at its own speed and waits for no recipient. What a lane cannot take
becomes that platform's resync mark. An event is settled once it is delivered, refused, superseded, marked, skipped
or answered for every recipient; its offset is committed when everything before it is settled.
"""
