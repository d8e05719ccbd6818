"""httpx-sse and requests: the relay's own event streams, with what a client does itself when it comes back."""
import asyncio
import json
import threading
import time

import httpx
import httpx_sse
import pytest
import requests

from situations import *


def create(relay, model, **more):
    answer = requests.post(f"{relay.url}/v1/streams", json={"model": model, "prompt": "Hello", **more}, timeout=20)
    assert answer.status_code == 201, answer.text
    return answer.json()


def read(relay, stream, last=None, count=None, **params):
    """The events after `last`: all of them, or the first `count`."""
    out = []
    headers = {"Last-Event-ID": last} if last else {}
    with httpx.Client(timeout=20) as client:
        with httpx_sse.connect_sse(client, "GET", f"{relay.url}/v1/streams/{stream}/events", headers=headers, params=params) as source:
            for event in source.iter_sse():
                out.append(event)
                if len(out) == count:
                    break
    return out


def text_of(events):
    return "".join(event.json()["delta"] for event in events if event.event == "message")


@any_kind
def test_httpx_sse(relay, calls, kind):
    events = read(relay, create(relay, f"{kind}-text")["id"])
    assert [event.event for event in events if event.event != "message"] == ["resumed", "start", "done"]
    assert text_of(events) == WHOLE
    done = events[-1].json()
    assert done["status"] == "completed" and done["finish_reason"] == "stop"
    assert done["usage"] == {"input_tokens": INPUT, "output_tokens": OUTPUT, "source": "provider"} | done["usage"]


@any_kind
def test_requests_iter_lines(relay, calls, kind):
    headers = {"Accept": "text/event-stream"}
    for script, whole in (("text", WHOLE), ("separators", WHOLE_SEPARATED)):
        body = {"model": f"{kind}-{script}", "prompt": "Hello"}
        with requests.post(f"{relay.url}/v1/streams", json=body, headers=headers, stream=True, timeout=20) as answer:
            assert answer.encoding == "utf-8"
            data = [json.loads(line[6:]) for line in answer.iter_lines(decode_unicode=True) if line.startswith("data: ")]
        assert "".join(one.get("delta", "") for one in data) == whole


@any_kind
def test_characters_that_split_lines(relay, calls, kind):
    stream = create(relay, f"{kind}-separators")["id"]
    assert text_of(read(relay, stream)) == WHOLE_SEPARATED
    with httpx.stream("GET", f"{relay.url}/v1/streams/{stream}/events") as answer:
        data = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert "".join(one.get("delta", "") for one in data) == WHOLE_SEPARATED


@any_kind
def test_tools(relay, calls, kind):
    events = read(relay, create(relay, f"{kind}-parallel")["id"])
    arguments = {}
    for event in events:
        if event.event == "tool_call":
            call = event.json()
            arguments[call["index"]] = arguments.get(call["index"], "") + call["arguments_delta"]
    assert [json.loads(one)["city"] for one in arguments.values()] == ["Paris", "Oslo"]
    assert events[-1].json()["finish_reason"] == "tool_calls"


@any_kind
def test_silence(relay, calls, kind):
    assert text_of(read(relay, create(relay, f"{kind}-silent")["id"])) == WHOLE


@any_kind
@pytest.mark.parametrize("script, code", [("error", None), ("cut", "upstream_truncated"), ("429", "upstream_rate_limited"),
                                          ("400", "upstream_bad_request"), ("500", "upstream_error")])
def test_a_failure_is_told_by_done(relay, calls, kind, script, code):
    events = read(relay, create(relay, f"{kind}-{script}")["id"])
    done = events[-1].json()
    assert done["status"] == "failed" and code in (None, done["error"]["code"])
    assert FAULT in done["error"]["message"] or script == "cut"
    assert text_of(events) == (TEXT[0] if code in (None, "upstream_truncated") else "")


@any_kind
def test_resume_after_every_event(relay, calls, kind):
    stream = create(relay, f"{kind}-parallel")["id"]
    events = read(relay, stream, coalesce=0)
    for at, event in enumerate(events[1:-1], 1):
        verdict, *rest = read(relay, stream, last=event.id, coalesce=0)
        assert verdict.json()["verdict"] == "exact"
        assert [(e.id, e.event, e.data) for e in rest] == [(e.id, e.event, e.data) for e in events[at + 1:]]
    assert requests.get(f"{relay.url}/v1/streams/{stream}/events", headers={"Last-Event-ID": events[-1].id}).status_code == 204


def test_resume_while_it_runs(relay, upstream, calls):
    stream = create(relay, "chat-hold")["id"]
    first = read(relay, stream, count=3)
    assert text_of(first) == TEXT[0]
    upstream.released.set()
    assert text_of(first + read(relay, stream, last=first[-1].id)) == WHOLE


def test_resume_after_a_kill(mortal, calls):
    stream = create(mortal, "chat-hold")["id"]
    with pytest.raises(httpx.TransportError):
        with httpx.Client(timeout=20) as client:
            with httpx_sse.connect_sse(client, "GET", f"{mortal.url}/v1/streams/{stream}/events") as source:
                for event in source.iter_sse():
                    if event.event == "message":
                        last = event.id
                        mortal.kill()
    mortal.start()
    verdict, done = read(mortal, stream, last=last)
    assert verdict.json()["verdict"] == "exact" and done.json()["status"] == "interrupted"


def test_a_post_that_is_sent_again_resumes(relay, calls):
    body = b'{"model":"chat-text","prompt":"Hello"}'
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}

    def post(**more):
        with httpx.Client(timeout=20) as client:
            with httpx_sse.connect_sse(client, "POST", f"{relay.url}/v1/streams", content=body, headers=headers | more) as source:
                return list(source.iter_sse())
    events = post()
    again = post(**{"Last-Event-ID": events[2].id})
    assert again[0].json()["verdict"] == "exact" and text_of(events[:3] + again) == WHOLE
    the_call(calls)


def test_leaving_goes_on_or_cancels(relay, upstream, calls):
    read(relay, create(relay, "chat-hold", on_disconnect="cancel")["id"], count=3)
    closes_upstream(calls)
    calls.clear()
    read(relay, create(relay, "chat-hold")["id"], count=3)
    goes_on(upstream, calls)


def test_a_watchdog_sees_heartbeats(relay, upstream, calls):
    """A comment never shows as an event, but it is bytes: a read time-out over the heartbeat's time is the watchdog."""
    stream = create(relay, "chat-hold")["id"]
    with httpx.Client(timeout=httpx.Timeout(20, read=0.6)) as client:
        with httpx_sse.connect_sse(client, "GET", f"{relay.url}/v1/streams/{stream}/events") as source:
            events = source.iter_sse()
            until("the text", lambda: next(events).event == "message")
            began = time.monotonic()
            threading.Timer(1.5, upstream.released.set).start()
            rest = list(events)
    assert time.monotonic() - began > 1.4 and rest[-1].event == "done"


def test_async(relay, calls):
    async def one(kind):
        async with httpx.AsyncClient(timeout=20) as client:
            body = {"model": f"{kind}-silent", "prompt": "Hello"}
            headers = {"Accept": "text/event-stream"}
            async with httpx_sse.aconnect_sse(client, "POST", f"{relay.url}/v1/streams", json=body, headers=headers) as source:
                return text_of([event async for event in source.aiter_sse()])

    async def run():
        assert await asyncio.gather(*map(one, KINDS)) == [WHOLE] * len(KINDS)
    asyncio.run(run())
