import os

# No client calls anything but the relay: no price lists, no traces, no keys of whoever runs this.
os.environ.update({"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false",
                   "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
    os.environ.pop(name, None)

import pytest

from relay import BINARY, Relay
from upstream import Upstream


def pytest_sessionstart():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is not there: build it, or name another one in TOKENRELAY_BINARY", returncode=2)


@pytest.fixture(scope="module")
def upstream():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def relay(upstream):
    process = Relay(upstream)
    yield process
    process.close()


@pytest.fixture
def calls(upstream):
    """The calls that reach the upstream during a test."""
    upstream.calls = []
    upstream.released.clear()
    yield upstream.calls
    upstream.released.set()


@pytest.fixture
def mortal(upstream):
    """A relay for one test, which may kill it."""
    process = Relay(upstream)
    yield process
    process.close()
