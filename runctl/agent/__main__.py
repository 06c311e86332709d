"""`python3 agent.pyz run …`."""

import sys

from runctl.agent.main import main

sys.exit(main())
