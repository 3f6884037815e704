"""Learned or memorised? Probes of a tuned model, each with its base as control.

``choice`` draws the prompts, ``stage`` asks the models, ``copying``, ``membership``, ``nearest`` and
``canaries`` score what comes back, and ``harness.memorisation.findings`` says what it means. The
rules stand in this folder's README.
"""
