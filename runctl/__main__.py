"""`python -m runctl` is `runctl`."""

from runctl.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
