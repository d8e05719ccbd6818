#include "service/surface/chat/encoder.h"

#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

class ChatEncoder final : public Encoder {
 public:
  ChatEncoder(const relay::Stream& stream, bool include_usage) : Encoder(true), include_usage_(include_usage) {
    head_ = R"({"id":")" + id_with("chatcmpl-", stream) + R"(","object":"chat.completion.chunk","created":)" +
            std::to_string(stream.row().created_ms / 1000) + R"(,"model":)";
    json::append_string(head_, stream.row().model);
  }

 private:
  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (kind) {
      case EventKind::start:
        return chunk(R"({"role":"assistant","content":""})");
      case EventKind::text:
        return delta("content", payload, merged);
      case EventKind::reasoning:
        return delta("reasoning_content", payload, merged);
      case EventKind::tool_call:
        return tool_call(payload, merged);
      case EventKind::opaque:
        return opaque(payload);
      case EventKind::done:
        return end(read_done(payload));
      case EventKind::steer:  // an unfinished call stays unfinished: completed arguments could be acted on
      case EventKind::upstream:
        return;
    }
  }

  void chunk(std::string_view delta, uint64_t merged = 1, std::string_view finish_reason = "null") {
    json_ = head_;
    json_ += R"(,"choices":[{"index":0,"delta":)";
    json_ += delta;
    json_ += R"(,"logprobs":null,"finish_reason":)";
    json_ += finish_reason;
    json_ += "}]";
    json_ += include_usage_ ? R"(,"usage":null})" : "}";
    write_delta("", json_, merged);
  }

  void delta(std::string_view name, std::string_view text, uint64_t merged) {
    said_ = "{\"";
    said_ += name;
    said_ += "\":";
    json::append_string(said_, text);
    said_ += '}';
    chunk(said_, merged);
  }

  // Only the first piece of a call has its id and name; the log repeats them in every piece.
  void tool_call(std::string_view payload, uint64_t merged) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    said_ = R"({"tool_calls":[{"index":)" + std::to_string(piece->index);
    if (piece->index >= calls_) {
      calls_ = piece->index + 1;
      said_ += ",\"id\":";
      json::append_string(said_, piece->id);
      said_ += R"(,"type":"function","function":{"name":)";
      json::append_string(said_, piece->name);
      said_ += ",\"arguments\":";
    } else {
      said_ += R"(,"function":{"arguments":)";
    }
    json::append_string(said_, piece->arguments);
    said_ += "}}]}";
    chunk(said_, merged);
  }

  // In the format of Google's OpenAI-compatible server. The protocol has no field for what other providers want back.
  void opaque(std::string_view payload) {
    const auto object = json::parse(payload);
    if (!object || !object->is_object() || json::word(*object, "type") != "thought_signature" ||
        !object->contains("index"))
      return;
    const json::Value signature = thought_signature(json::word(*object, "data"));
    json::Value call = {{"index", (*object)["index"]}, {"extra_content", signature}};
    json::Value delta = json::Value::object();
    delta["tool_calls"] = json::Value::array();
    delta["tool_calls"].push_back(std::move(call));
    chunk(json::dump(delta));
  }

  void end(const Done& done) {
    if (done.failed() && done.error) {
      omit_id();  // (CLIENTS.md, Chat Completions: errors in the stream)
      return write("", error_json(Protocol::chat, error_of(*done.error, std::nullopt), ""));
    }
    chunk("{}", 1, "\"" + chat_finish_reason(done) + "\"");
    if (include_usage_) {
      json_ = head_ + R"(,"choices":[],"usage":)" + json::dump(chat_usage(done)) + "}";
      write("", json_);
    }
    write_raw("data: [DONE]\n\n");
  }

  const bool include_usage_;
  std::string head_;         // the start of every chunk
  std::string json_, said_;  // reused
  uint64_t calls_ = 0;       // tool calls begun so far
};

}  // namespace

std::unique_ptr<Encoder> make_chat_encoder(const relay::Stream& stream, bool include_usage) {
  return std::make_unique<ChatEncoder>(stream, include_usage);
}

}  // namespace tokenrelay::surface
