#include "service/surface/chat/encoder.h"

#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/surface/chat/own.h"
#include "service/surface/opaque.h"
#include "service/surface/own_replay.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

class ChatEncoder final : public Encoder {
 public:
  ChatEncoder(const relay::Stream& stream, bool include_usage) : Encoder(true), include_usage_(include_usage) {
    head_ = R"({"id":")" + id_with("chatcmpl-", stream) + R"(","object":"chat.completion.chunk","created":)" +
            std::to_string(stream.row().created_ms / 1000) + R"(,"model":)";
    json::append_string(head_, stream.row().model);
    own_.serve({"id"}, id_with("chatcmpl-", stream));
  }

 private:
  bool merges() const override { return !own_.began(); }  // the provider's deltas come one by one, as it sent them

  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (own_.take(kind, payload)) {
      case OwnReplay::Step::skip:
        return keeps(own_.held_bytes());
      case OwnReplay::Step::event:
        return own_event(own_.json());
      case OwnReplay::Step::delta:
        if (!own_begun_) begin_own(read_own_chunk(own_.json()));
        json_ = own_.json();
        if (!include_usage_) drop_null_usage(json_);
        return write_delta("", json_, merged);
      case OwnReplay::Step::begin:
        begin();
        break;
      case OwnReplay::Step::translate:
        break;
    }
    translate(kind, payload, merged);
  }

  // One as the provider sent it. What the relay may have to add, after a steer or at an end that the provider did not
  // see, has the same id. Read without a DOM, as it may be large.
  void own_event(std::string json) {
    keeps(own_.held_bytes());
    const OwnChunk chunk = read_own_chunk(json);
    if (!own_begun_) begin_own(chunk);
    own_reason_ |= chunk.has_reason;
    own_failed_ |= chunk.has_error;
    own_usage_ |= chunk.has_usage;
    if (!include_usage_ && !chunk.has_choices && chunk.has_usage) return;
    if (!include_usage_) drop_null_usage(json);
    if (chunk.has_error) omit_id();  // (CLIENTS.md, Chat Completions: errors in the stream)
    write("", json);
  }

  // Every answer of the provider's own names its role first; some servers leave it out, and SDKs fail without.
  void begin_own(const OwnChunk& first) {
    own_begun_ = true;
    head_ = own_head(first, head_);
    if (!first.has_role && !first.has_error) begin();
  }

  void begin() { chunk(R"({"role":"assistant","content":""})"); }

  void translate(EventKind kind, std::string_view payload, uint64_t merged) {
    switch (kind) {
      case EventKind::start:
        return begin();
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
      case EventKind::own:
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

  void usage(const Done& done) {
    if (!include_usage_) return;
    json_ = head_ + R"(,"choices":[],"usage":)" + json::dump(chat_usage(done)) + "}";
    write("", json_);
  }

  void end(const Done& done) {
    if (own_.began() && own_failed_) return omit_id();
    if (own_.began() && own_reason_) {
      if (!own_usage_) usage(done);
      return write_raw("data: [DONE]\n\n");
    }
    if (done.failed() && done.error) {
      omit_id();  // (CLIENTS.md, Chat Completions: errors in the stream)
      return write("", error_json(Protocol::chat, error_of(*done.error, std::nullopt), ""));
    }
    chunk("{}", 1, "\"" + chat_finish_reason(done) + "\"");
    usage(done);
    write_raw("data: [DONE]\n\n");
  }

  const bool include_usage_;
  std::string head_;         // the start of every chunk
  std::string json_, said_;  // reused
  uint64_t calls_ = 0;       // tool calls begun so far
  OwnReplay own_{own_kind(Protocol::chat)};
  bool own_begun_ = false, own_reason_ = false, own_failed_ = false, own_usage_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_chat_encoder(const relay::Stream& stream, bool include_usage) {
  return std::make_unique<ChatEncoder>(stream, include_usage);
}

}  // namespace tokenrelay::surface
