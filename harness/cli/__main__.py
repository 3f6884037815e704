"""``python -m harness.cli``: for launchers that start a module, such as ``accelerate launch -m``."""

from harness.cli.main import main

if __name__ == "__main__":
    main()
