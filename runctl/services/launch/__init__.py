"""Starting machines: look at the offer, launch it, find again what a kill interrupted.

    ground = open_actions(backend, settings, clock, regions).ground         # who we are, cloud, journal, brakes
    request = LaunchRequest("job-7.1", "us-east-1", ("g5.xlarge", "g6.xlarge"), MarketChoice.SPOT,
                            job="job-7", attempt=1, expires_at=ends, user_data=script)
    quarantine = open_quarantine(clock)
    offer = make_offer(ground, request, PriceBook(), quarantine)            # reads; changes nothing
    result = Launcher(ground, quarantine, tell=print).launch(offer)         # one machine or none
    result.instances, result.candidate, result.attempts, result.exit_code

Values are in `runctl.models.launch`; `make_offer` in `offer`, `Launcher` in `attempts`, `reconcile` in `earlier`,
`wait_until_running` in `waiting`; rows, sums and sentences for tables and dialogs in `grid`; a form's texts in `form`.

The same request id never runs twice: `launch` first looks for what an earlier try of it has brought, in this process or
another, and gives that back with `adopted`. With `pending` it cannot be told yet, and nothing was sent.
"""
