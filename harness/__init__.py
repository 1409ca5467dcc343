"""Harness: a real Home Assistant process in a folder of its own, driven from outside.

The modules at the top start a Home Assistant that nobody has to set up by hand, that can be killed and
started again, and that leaves nothing behind. The packages use it and not each other: `demo`, `chaos`,
`bench` and `browser`. Only `screenshots` uses two of them: it shows the demo's dashboard in a browser.

The harness imports nothing of Home Assistant and nothing of the integration. Three components do, which Home
Assistant loads: `immediate_repairs`, `chaos/chaos_recorder` and `bench/bench_probe`.
"""
