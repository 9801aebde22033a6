"""``python -m core.settings`` prints every limit and option, as ``aisr settings`` does."""

import sys

from core.base.settings import main

if __name__ == "__main__":
    sys.exit(main())
