#include "service/surface/ui/encoder.h"

#include <map>

#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/surface/ui/chats.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

std::string_view ui_finish_reason(std::string_view reason) {
  if (reason == "tool_calls") return "tool-calls";
  if (reason == "content_filter") return "content-filter";
  return reason == "stop" || reason == "length" ? reason : "other";
}

// Text and reasoning end where something else begins. A tool's input is made available only when the answer is
// complete: the page may run the tool then, calls may be interleaved in the log, and a tool that a cancelled or steered
// answer called must not run.
class UiEncoder final : public Encoder {
 public:
  UiEncoder(const relay::Stream& stream, bool resumed)
      : Encoder(true), id_(id_with("msg_", stream)), resumed_(resumed) {}

 private:
  struct Call {
    std::string id, name, arguments, metadata;
  };

  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (kind) {
      case EventKind::start:
        return start(payload);
      case EventKind::text:
        return delta("text", payload, merged);
      case EventKind::reasoning:
        return delta("reasoning", payload, merged);
      case EventKind::tool_call:
        return tool_call(payload, merged);
      case EventKind::opaque:
        return opaque(payload);
      case EventKind::steer:
        return give_up_calls();
      case EventKind::done:
        return end(read_done(payload));
      case EventKind::upstream:
      case EventKind::own:
        return;
    }
  }

  // --- writing a part: begin(type), member()…, send()
  void begin(std::string_view type, std::string_view suffix = "") {
    json_ = "{\"type\":\"";
    json_ += type;
    json_ += suffix;
    json_ += '"';
  }
  void member(std::string_view name, std::string_view text) {
    raw_member(name);
    json::append_string(json_, text);
  }
  void raw_member(std::string_view name, std::string_view json = "") {
    json_ += ",\"";
    json_ += name;
    json_ += "\":";
    json_ += json;
  }
  void send(uint64_t merged = 1) {
    json_ += '}';
    write_delta("", json_, merged);
  }

  void start(std::string_view payload) {
    const std::string continued = resumed_ ? std::string() : read_marks(payload).message;
    begin("start");
    member("messageId", continued.empty() ? id_ : continued);
    send();
    begin("start-step");
    send();
  }

  void delta(std::string_view kind, std::string_view text, uint64_t merged) {
    if (open_ != kind) {
      close();
      open(kind);
    }
    begin(kind, "-delta");
    member("id", block_);
    member("delta", text);
    send(merged);
  }

  void open(std::string_view kind) {
    open_ = kind;
    block_ = std::to_string(blocks_++);
    begin(kind, "-start");
    member("id", block_);
    send();
  }

  void close(std::string_view metadata = "") {
    if (open_.empty()) return;
    begin(open_, "-end");
    member("id", block_);
    if (!metadata.empty()) raw_member("providerMetadata", metadata);
    send();
    open_ = {};
  }

  void tool_call(std::string_view payload, uint64_t merged) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    close();
    const auto [place, first] = calls_.try_emplace(piece->index);
    Call& call = place->second;
    if (first) {
      call.id = piece->id;
      call.name = piece->name;
      begin("tool-input-start");
      member("toolCallId", call.id);
      member("toolName", call.name);
      send();
    }
    if (piece->arguments.empty()) return;
    call.arguments += piece->arguments;
    keeps(held_bytes() + piece->arguments.size());
    begin("tool-input-delta");
    member("toolCallId", call.id);
    member("inputTextDelta", piece->arguments);
    send(merged);
  }

  // What a provider wants back goes into providerMetadata, which a page sends back unchanged: of the call that it
  // names, of the block that it signs, else of a separate empty block.
  void opaque(std::string_view payload) {
    const auto object = json::parse(payload);
    if (!object || !object->is_object()) return;
    const std::string metadata = R"({"tokenrelay":)" + json::dump(*object) + "}";
    if (const auto index = object->find("index"); index != object->end()) {
      const auto call = index->is_number_unsigned() ? calls_.find(index->get<uint64_t>()) : calls_.end();
      if (call != calls_.end()) call->second.metadata = metadata;
      return;
    }
    const std::string type = json::word(*object, "type");
    const bool signs = (type == "signature" && open_ == "reasoning") || (type == "thought_signature" && !open_.empty());
    if (!signs) {
      close();
      open("reasoning");
    }
    close(metadata);
  }

  void give_up_calls() {
    for (const auto& [index, call] : calls_)
      input_error(call, "the answer was steered before this tool call was complete");
    calls_.clear();
    keeps(0);
  }

  void input_error(const Call& call, std::string_view why) {
    begin("tool-input-error");
    member("toolCallId", call.id);
    member("toolName", call.name);
    member("input", call.arguments);
    member("errorText", why);
    send();
  }

  void make_available(const Call& call) {
    const auto input = json::parse(call.arguments.empty() ? "{}" : call.arguments);
    if (!input) return input_error(call, "the model's input for this tool is not valid JSON");
    begin("tool-input-available");
    member("toolCallId", call.id);
    member("toolName", call.name);
    raw_member("input", json::dump(*input));
    if (!call.metadata.empty()) raw_member("providerMetadata", call.metadata);
    send();
  }

  void end(const Done& done) {
    close();
    if (done.status == "completed") {
      for (const auto& [index, call] : calls_) make_available(call);
      begin("finish-step");
      send();
      begin("finish");
      member("finishReason", ui_finish_reason(done.finish_reason));
      send();
    } else if (done.failed() && done.error) {
      write("", error_json(Protocol::ui, error_of(*done.error, std::nullopt), ""));
    } else {
      begin("abort");
      send();
    }
    write_raw("data: [DONE]\n\n");
  }

  const std::string id_;
  const bool resumed_;
  std::string json_;       // reused
  std::string_view open_;  // "text" or "reasoning"; "" if no block is open
  std::string block_;      // its id
  uint64_t blocks_ = 0;    // started so far
  std::map<uint64_t, Call> calls_;
};

}  // namespace

std::unique_ptr<Encoder> make_ui_encoder(const relay::Stream& stream, bool resumed) {
  return std::make_unique<UiEncoder>(stream, resumed);
}

}  // namespace tokenrelay::surface
