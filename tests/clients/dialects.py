"""The four dialects of model servers: each writes a script's steps (see upstream.py) as events, and refusals as bodies.

Every answer has 11 input tokens and 7 output tokens. Text goes out unescaped, as most providers send it.
"""
import json

INPUT, OUTPUT = 11, 7
FAULT = "the model fell over"
STATUS_NAMES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
ANTHROPIC_TYPES = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 503: "api_error"}


def _json(value):
    return json.dumps(value, ensure_ascii=False)


class _Dialect:
    def data(self, value):
        return f"data: {_json(value)}\n\n"

    # Strings to send, and the steps that have to do with time as they are.
    def events(self, model, steps):
        self.model, self.finish, self.calls = model, None, 0
        yield from self.begin()
        for step in steps:
            if step[0] == "fault":
                return (yield from self.fault())
            if step[0] == "finish":
                self.finish = step[1]
            elif step[0] in ("pause", "hold", "cut"):
                yield step
            else:
                yield from getattr(self, step[0])(*step[1:])
        yield from self.end()

    def begin(self):
        return []


class Chat(_Dialect):
    PATH = "/chat/completions"

    def chunk(self, delta, finish=None, **more):
        return self.data({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": self.model,
                          "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})

    def begin(self):
        yield self.chunk({"role": "assistant", "content": ""})

    def text(self, text):
        yield self.chunk({"content": text})

    def reasoning(self, text):
        yield self.chunk({"reasoning_content": text})

    def call(self, id, name, pieces):
        index, self.calls = self.calls, self.calls + 1
        yield self.chunk({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]})
        for piece in pieces or ["{}"]:
            yield self.chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) if piece else ("pause", 0.7)

    def end(self):
        yield self.chunk({}, self.finish or ("tool_calls" if self.calls else "stop"))
        yield self.data({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": [],
                         "usage": {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}})
        yield "data: [DONE]\n\n"

    def fault(self):
        yield self.data(self.refusal(500, FAULT))

    def refusal(self, status, message):
        return {"error": {"message": message, "type": "server_error" if status >= 500 else "invalid_request_error",
                          "param": None, "code": None}}


class Responses(_Dialect):
    PATH = "/responses"

    def event(self, type, **more):
        self.number = getattr(self, "number", -1) + 1
        return f"event: {type}\n" + self.data({"type": type, "sequence_number": self.number, **more})

    def response(self, status, **more):
        return {"id": "resp_up", "object": "response", "created_at": 1, "model": self.model, "status": status, "output": [],
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
                "instructions": None, "metadata": {}, **more}

    def begin(self):
        self.open, self.items = None, []
        yield self.event("response.created", response=self.response("in_progress"))
        yield self.event("response.in_progress", response=self.response("in_progress"))

    def add(self, item):
        yield from self.close()
        self.open, self.items = item, self.items + [item]
        yield self.event("response.output_item.added", output_index=len(self.items) - 1, item=json.loads(json.dumps(item)))

    def close(self):
        item, self.open = self.open, None
        if not item:
            return
        at = {"item_id": item["id"], "output_index": len(self.items) - 1}
        item["status"] = "completed"
        if item["type"] == "message":
            yield self.event("response.output_text.done", content_index=0, text=item["content"][0]["text"], logprobs=[], **at)
            yield self.event("response.content_part.done", content_index=0, part=item["content"][0], **at)
        if item["type"] == "function_call":
            yield self.event("response.function_call_arguments.done", arguments=item["arguments"], name=item["name"], **at)
        if item["type"] == "reasoning":
            yield self.event("response.reasoning_summary_text.done", summary_index=0, text=item["summary"][0]["text"], **at)
            yield self.event("response.reasoning_summary_part.done", summary_index=0, part=item["summary"][0], **at)
        yield self.event("response.output_item.done", output_index=len(self.items) - 1, item=item)

    def text(self, text):
        if not self.open or self.open["type"] != "message":
            yield from self.add({"id": f"msg_{len(self.items)}", "type": "message", "role": "assistant", "status": "in_progress", "content": []})
            self.open["content"].append({"type": "output_text", "text": "", "annotations": []})
            yield self.event("response.content_part.added", item_id=self.open["id"], output_index=len(self.items) - 1,
                             content_index=0, part=self.open["content"][0])
        self.open["content"][0]["text"] += text
        yield self.event("response.output_text.delta", item_id=self.open["id"], output_index=len(self.items) - 1,
                         content_index=0, delta=text, logprobs=[])

    def reasoning(self, text):
        if not self.open:
            yield from self.add({"id": "rs_0", "type": "reasoning", "summary": []})
            self.open["summary"].append({"type": "summary_text", "text": ""})
            yield self.event("response.reasoning_summary_part.added", item_id="rs_0", output_index=0, summary_index=0,
                             part=self.open["summary"][0])
        self.open["summary"][0]["text"] += text
        yield self.event("response.reasoning_summary_text.delta", item_id="rs_0", output_index=0, summary_index=0, delta=text)

    def call(self, id, name, pieces):
        item = {"id": f"fc_{len(getattr(self, 'items', []))}", "type": "function_call", "call_id": id, "name": name, "arguments": "",
                "status": "in_progress"}
        yield from self.add(item)
        for piece in pieces:
            if piece:
                item["arguments"] += piece
                yield self.event("response.function_call_arguments.delta", item_id=item["id"], output_index=len(self.items) - 1,
                                 delta=piece)
            else:
                yield ("pause", 0.7)
        item["arguments"] = item["arguments"] or "{}"

    def end(self):
        yield from self.close()
        usage = {"input_tokens": INPUT, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": OUTPUT,
                 "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": INPUT + OUTPUT}
        status = "incomplete" if self.finish else "completed"
        why = {"reason": "max_output_tokens"} if self.finish else None
        yield self.event(f"response.{status}", response=self.response(status, output=self.items, usage=usage, incomplete_details=why))

    def fault(self):
        error = {"type": "server_error", "code": "server_error", "message": FAULT, "param": None}
        yield self.event("error", error=error)
        yield self.event("response.failed", response=self.response("failed", error={"code": "server_error", "message": FAULT}))

    refusal = Chat.refusal


class Claude(_Dialect):
    PATH = "/v1/messages"

    def event(self, type, **more):
        return f"event: {type}\n" + self.data({"type": type, **more})

    def begin(self):
        self.index, self.open = -1, None
        yield self.event("message_start", message={
            "id": "msg_up", "type": "message", "role": "assistant", "model": self.model, "content": [], "stop_reason": None,
            "stop_sequence": None, "usage": {"input_tokens": INPUT, "output_tokens": 1}})
        yield self.event("ping")

    def block(self, type, **more):
        yield from self.close()
        self.open, self.index = type, self.index + 1
        yield self.event("content_block_start", index=self.index, content_block={"type": type, **more})

    def close(self):
        if self.open == "thinking":
            yield self.event("content_block_delta", index=self.index, delta={"type": "signature_delta", "signature": "c2lnbmVk"})
        if self.open:
            yield self.event("content_block_stop", index=self.index)
        self.open = None

    def text(self, text):
        if self.open != "text":
            yield from self.block("text", text="")
        yield self.event("content_block_delta", index=self.index, delta={"type": "text_delta", "text": text})

    def reasoning(self, text):
        if self.open != "thinking":
            yield from self.block("thinking", thinking="", signature="")
        yield self.event("content_block_delta", index=self.index, delta={"type": "thinking_delta", "thinking": text})

    def call(self, id, name, pieces):
        self.calls += 1
        yield from self.block("tool_use", id=id, name=name, input={})
        for piece in ["", *pieces]:
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield self.event("content_block_delta", index=self.index, delta=delta) if piece is not None else ("pause", 0.7)

    def end(self):
        yield from self.close()
        reason = "max_tokens" if self.finish else "tool_use" if self.calls else "end_turn"
        yield self.event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"input_tokens": INPUT, "output_tokens": OUTPUT})
        yield self.event("message_stop")

    def fault(self):
        yield self.event("error", error={"type": "api_error", "message": FAULT}, request_id="req_up")

    def refusal(self, status, message):
        return {"type": "error", "error": {"type": ANTHROPIC_TYPES[status], "message": message}, "request_id": "req_up"}


class Gemini(_Dialect):
    PATH = "/v1beta/models/"

    def chunk(self, parts, **more):
        return f"data: {_json({'candidates': [{'content': {'parts': parts, 'role': 'model'}, 'index': 0, **more}], 'usageMetadata': self.usage(), 'modelVersion': self.model, 'responseId': 'up'})}\r\n\r\n"

    def usage(self):
        return {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT}

    def text(self, text):
        yield self.chunk([{"text": text}])

    def reasoning(self, text):
        yield self.chunk([{"text": text, "thought": True}])

    def call(self, id, name, pieces):
        for piece in pieces:
            if piece is None:
                yield ("pause", 0.7)
        yield self.chunk([{"functionCall": {"id": id, "name": name, "args": json.loads("".join(p or "" for p in pieces) or "{}")}}])

    def end(self):
        yield self.chunk([{"text": ""}], finishReason="MAX_TOKENS" if self.finish else "STOP")

    def fault(self):
        yield f"data: {_json(self.refusal(503, FAULT))}\r\n\r\n"

    def refusal(self, status, message):
        return {"error": {"code": status, "message": message, "status": STATUS_NAMES[status]}}


DIALECTS = {"chat": Chat, "responses": Responses, "claude": Claude, "gemini": Gemini}
