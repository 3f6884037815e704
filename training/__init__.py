"""Makes the adapters under test: thin over TRL and PEFT."""
