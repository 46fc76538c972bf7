"""The suites run where their data is: without HEADRACE_SUITES nothing is collected, so that nothing is skipped either."""

from __future__ import annotations

import os

collect_ignore = [] if "HEADRACE_SUITES" in os.environ else ["test_suites.py"]
