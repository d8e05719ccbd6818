#include "service/surface/anthropic/encoder.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "service/json/depth.h"
#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/surface/anthropic/blocks.h"
#include "service/surface/anthropic/fold.h"
#include "service/surface/anthropic/opaque.h"
#include "service/surface/own_replay.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

// Takes the text of a JSON object in pieces and detects its end.
class ObjectEnd {
 public:
  void feed(std::string_view piece) {
    for (const char c : piece) {
      if (escaped_) {
        escaped_ = false;
      } else if (in_string_) {
        escaped_ = c == '\\';
        in_string_ = c != '"';
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if ((c == '}' || c == ']') && depth_ > 0) {
        complete_ |= --depth_ == 0;
      }
    }
  }
  bool complete() const { return complete_; }

 private:
  int64_t depth_ = 0;
  bool in_string_ = false, escaped_ = false, complete_ = false;
};

// One block is open at a time, except that interleaved calls stay open until their arguments are complete, or the end.
class AnthropicEncoder final : public Encoder {
 public:
  explicit AnthropicEncoder(const MessageFacts& facts) : Encoder(true) {
    const Value message = anthropic_message(facts, Value::array(), nullptr, surface::Done{});
    start_ = json::dump(Value{{"type", "message_start"}, {"message", message}});
    own_.serve({"message", "id"}, facts.id);
    model_ = facts.model;
  }

 private:
  enum class Plain { none, text, thinking };
  struct Call {
    uint64_t index;   // the log's
    uint64_t number;  // the block's
    ObjectEnd arguments;
  };

  bool merges() const override { return !own_.began(); }  // the provider's deltas come one by one, as it sent them

  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (own_.take(kind, payload)) {
      case OwnReplay::Step::skip:
        return keeps(own_.held_bytes());
      case OwnReplay::Step::event:
        return own_event(own_.json());
      case OwnReplay::Step::delta:
        return write_delta("content_block_delta", own_.json(), merged);
      case OwnReplay::Step::begin:
        write("message_start", start_);
        break;
      case OwnReplay::Step::translate:
        break;
    }
    translate(kind, payload, merged);
  }

  // One as the provider sent it. What is open is noted: after a steer, or where the provider left it open, the relay
  // goes on from there. Read without a DOM, as it may be large.
  void own_event(const std::string& text) {
    keeps(own_.held_bytes());
    std::string type, block;
    uint64_t index = 0;
    json::Reader in(text, scratch_, json::deepest);
    in.object([&](std::string_view key) {
      if (key == "type") {
        type = in.string();
      } else if (key == "index") {
        index = static_cast<uint64_t>(std::max<int64_t>(0, in.integer().value_or(0)));
      } else if (key == "content_block") {
        in.object([&](std::string_view member) {
          if (member == "type") block = in.string();
        });
      }
    });
    if (type == "content_block_start") {
      blocks_ = std::max(blocks_, index + 1);
      own_open_.emplace_back(index, block);
    } else if (type == "content_block_stop") {
      std::erase_if(own_open_, [index](const auto& open) { return open.first == index; });
    }
    own_reason_ |= type == "message_delta";
    own_ended_ |= type == "message_stop" || type == "error";
    if (type == "message_start") return write(type, complete_start(text, model_));
    write(is_event_name(type) ? type : std::string(), text);
  }

  void leave_own() {
    for (const auto& [index, type] : std::exchange(own_open_, {})) {
      if (plain_ != Plain::none) stop_block(std::exchange(plain_number_, index));
      plain_ = type == "text" ? Plain::text : (type == "thinking" ? Plain::thinking : Plain::none);
      plain_number_ = index;
      if (plain_ == Plain::none) stop_block(index);
    }
  }

  void translate(EventKind kind, std::string_view payload, uint64_t merged) {
    switch (kind) {
      case EventKind::start:
        return write("message_start", start_);
      case EventKind::text:
        open(Plain::text);
        return delta(plain_number_, "text_delta", "text", payload, merged);
      case EventKind::reasoning:
        open(Plain::thinking);
        return delta(plain_number_, "thinking_delta", "thinking", payload, merged);
      case EventKind::tool_call:
        return tool_call(payload, merged);
      case EventKind::opaque:
        return opaque(payload);
      case EventKind::done:
        return end(read_done(payload));
      case EventKind::steer:
        leave_own();
        return close_calls();  // void, but already sent: an open block would overlap with what follows
      case EventKind::upstream:
      case EventKind::own:
        return;
    }
  }

  void close_calls() {
    for (const Call& call : std::exchange(calls_, {})) stop_block(call.number);
  }

  void open(Plain kind) {
    if (plain_ == kind) return;
    close_before_next();
    plain_ = kind;
    plain_number_ = start_block(kind == Plain::text ? R"({"type":"text","text":"","citations":[]})"
                                                    : R"({"type":"thinking","thinking":"","signature":""})");
  }

  uint64_t start_block(std::string_view block) {
    json_ = R"({"type":"content_block_start","index":)" + std::to_string(blocks_) + R"(,"content_block":)";
    json_ += block;
    json_ += '}';
    write("content_block_start", json_);
    return blocks_++;
  }

  void stop_block(uint64_t number) {
    json_ = R"({"type":"content_block_stop","index":)" + std::to_string(number) + "}";
    write("content_block_stop", json_);
  }

  void delta(uint64_t number, std::string_view type, std::string_view member, std::string_view text, uint64_t merged) {
    json_ = R"({"type":"content_block_delta","index":)" + std::to_string(number) + R"(,"delta":{"type":")";
    json_ += type;
    json_ += "\",\"";
    json_ += member;
    json_ += "\":";
    json::append_string(json_, text);
    json_ += "}}";
    write_delta("content_block_delta", json_, merged);
  }

  void close_plain() {
    if (plain_ != Plain::none) stop_block(plain_number_);
    plain_ = Plain::none;
  }

  void close_before_next() {
    close_plain();
    std::erase_if(calls_, [this](const Call& call) {
      if (call.arguments.complete()) stop_block(call.number);
      return call.arguments.complete();
    });
  }

  void tool_call(std::string_view payload, uint64_t merged) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    if (piece->index >= next_call_) {
      next_call_ = piece->index + 1;
      close_before_next();
      const Value block = anthropic_tool_block(piece->id, piece->name, Value::object());
      calls_.push_back({piece->index, start_block(json::dump(block)), {}});
    }
    const auto call =
        std::find_if(calls_.begin(), calls_.end(), [&](const Call& open) { return open.index == piece->index; });
    if (call == calls_.end()) return;  // its object was complete: what follows is white space
    call->arguments.feed(piece->arguments);
    delta(call->number, "input_json_delta", "partial_json", piece->arguments, merged);
  }

  void opaque(std::string_view payload) {
    const auto object = json::parse(payload);
    if (!object) return;
    const Value block = opaque_block(*object);
    if (block.is_null()) {
      open(Plain::thinking);
      delta(plain_number_, "signature_delta", "signature", json::word(*object, "data"), 1);
      return close_plain();
    }
    close_before_next();
    stop_block(start_block(json::dump(block)));
  }

  void end(const surface::Done& done) {
    if (own_ended_ && own_.began()) return;
    leave_own();
    if (done.failed() && done.error) {
      return write("error", error_json(Protocol::anthropic, error_of(*done.error, std::nullopt), ""));
    }
    close_plain();
    close_calls();
    if (own_reason_ && own_.began()) return write("message_stop", R"({"type":"message_stop"})");
    const Value delta = {{"stop_reason", anthropic_stop_reason(done)},
                         {"stop_sequence", anthropic_stop_sequence(done)},
                         {"stop_details", nullptr},
                         {"container", nullptr}};
    write("message_delta",
          json::dump(Value{{"type", "message_delta"}, {"delta", delta}, {"usage", anthropic_usage(done)}}));
    write("message_stop", R"({"type":"message_stop"})");
  }

  std::string start_;
  std::string json_, scratch_;  // reused
  std::string model_;
  uint64_t blocks_ = 0;
  Plain plain_ = Plain::none;
  uint64_t plain_number_ = 0;
  std::vector<Call> calls_;  // open
  OwnReplay own_{own_kind(Protocol::anthropic)};
  std::vector<std::pair<uint64_t, std::string>> own_open_;  // blocks of the provider's own: index and type
  bool own_reason_ = false, own_ended_ = false;
  uint64_t next_call_ = 0;
};

}  // namespace

std::unique_ptr<Encoder> make_anthropic_encoder(const MessageFacts& facts) {
  return std::make_unique<AnthropicEncoder>(facts);
}

}  // namespace tokenrelay::surface
