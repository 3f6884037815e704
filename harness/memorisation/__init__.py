"""Learned or memorised? Probes of a tuned model, with its base as control, and the verdict on them.

``prompt_choice`` draws the prompts and ``probe_requests`` makes the requests and records; ``copying``,
``training_responses``, ``membership`` and ``canaries`` score the replies; ``levels`` and
``subject_evidence`` estimate, ``conditions`` and ``verdict`` hold the rules, and ``probe_summary``
puts everything together. The rules and the reasons for them are in this folder's README.
"""
