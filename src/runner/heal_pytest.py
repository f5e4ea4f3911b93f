"""heal's pytest plugin, as pytest loads it with `-p heal_pytest`.

pytest parses and compiles a plugin that is named so in every process, whatever
bytecode there is: all of it is in `heal_pytest_hooks`.

PYTEST_DONT_REWRITE: this file is no test.
"""

from heal_pytest_hooks import *  # noqa: F401,F403
