"""What the tests of the clients have in common: tools, schemas, what must have arrived."""
import pytest

from dialects import FAULT, INPUT, OUTPUT
from relay import KINDS, until
from upstream import AFTER_TOOLS, OBJECT, SEPARATED, TEXT

WHOLE = "".join(TEXT)
WHOLE_SEPARATED = "".join(SEPARATED)
any_kind = pytest.mark.parametrize("kind", list(KINDS))  # of upstream: each surface in front of each
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DESCRIPTION = "The weather in a city"


def the_call(calls):
    """The only call that reached the upstream."""
    assert len(calls) == 1, [call.path for call in calls]
    return calls[0]


def closes_upstream(calls):
    until("the upstream's connection is closed", lambda: the_call(calls).closed.is_set(), 5)


def goes_on(upstream, calls, seconds=0.7):
    """The client has gone: the upstream's connection stays, and the answer is taken whole."""
    assert not the_call(calls).closed.wait(seconds)
    upstream.released.set()
    assert calls[0].finished.wait(5)
