"""For tests that need the seam of test builds (common/fault.h): imported before lib, it chooses the programs of build/asan
or build/debug, unless SETTLEMENTD_BIN and SETTLECTL_BIN name others."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

for folder in ("asan", "debug"):
    programs = {f"{name.upper()}_BIN": str(ROOT / "build" / folder / name) for name in ("settlementd", "settlectl")}
    if "SETTLEMENTD_BIN" not in os.environ and all(os.access(path, os.X_OK) for path in programs.values()):
        os.environ.update(programs)
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/leaks.txt:print_suppressions=0")

import lib  # noqa: E402  (it reads the environment)


def main(suite):
    """Runs the tests, or says why not."""
    if os.access(lib.SETTLEMENTD, os.X_OK) and b"SETTLEMENTD_TEST_FAULTS" not in Path(lib.SETTLEMENTD).read_bytes():
        print(f"skipped: {lib.SETTLEMENTD} has no seam; make asan builds one that has")
        sys.exit(0)
    suite.main()
