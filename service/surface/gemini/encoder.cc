#include "service/surface/gemini/encoder.h"

#include <map>
#include <utility>

#include "service/relay/event_codec.h"
#include "service/surface/gemini/chunk.h"
#include "service/surface/gemini/opaque.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

class GeminiEncoder final : public Encoder {
 public:
  GeminiEncoder(const GeminiFacts& facts, bool as_array)
      : Encoder(false), as_array_(as_array), tail_(gemini_tail(facts)) {}

 private:
  struct Call {
    std::string id, name, arguments, signature;
  };

  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (kind) {
      case EventKind::text:
      case EventKind::reasoning:
        tell_calls();
        parts_.clear();
        append_gemini_text(parts_, payload, kind == EventKind::reasoning);
        return chunk(merged);
      case EventKind::tool_call:
        return read_transcript(payload);
      case EventKind::opaque:
        return opaque(payload);
      case EventKind::done:
        return end(read_done(payload));
      case EventKind::steer:  // calls before it are void, the malformed ones too
        calls_.clear();
        keeps(0);
        held_.clear();
        malformed_ = false;
        return;
      case EventKind::start:
      case EventKind::upstream:
        return;
    }
  }

  // Calls may be interleaved: all are held until something else follows.
  void read_transcript(std::string_view payload) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    Call& call = calls_[piece->index];
    if (call.id.empty()) call.id = piece->id;
    if (call.name.empty()) call.name = piece->name;
    call.arguments += piece->arguments;
    keeps(held_bytes() + piece->arguments.size());
  }

  // A signature goes on its call while that is held; else into a separate part, after the calls that are held.
  void opaque(std::string_view payload) {
    const auto object = json::parse(payload);
    if (!object || !object->is_object()) return;
    const auto index = object->find("index");
    if (index != object->end() && index->is_number_unsigned()) {
      if (const auto call = calls_.find(index->get<uint64_t>()); call != calls_.end()) {
        call->second.signature = gemini_signature(*object);
        return;
      }
    }
    parts_ = gemini_signature_part(*object);
    if (parts_.empty()) return;
    if (calls_.empty()) return chunk(1);
    held_ += "," + parts_;
  }

  void tell_calls() {
    parts_.clear();
    for (const auto& [index, call] : calls_) {
      const std::string part = gemini_call_part(call.id, call.name, call.arguments, call.signature);
      malformed_ |= part.empty();
      if (!part.empty()) parts_ += "," + part;
    }
    parts_ += std::exchange(held_, {});
    calls_.clear();
    keeps(0);
    if (parts_.empty()) return;
    parts_.erase(0, 1);  // the first comma
    chunk(1);
  }

  void chunk(uint64_t merged, std::string_view finish_reason = "", std::string_view usage = "") {
    json_.clear();
    append_gemini_chunk(json_, parts_, finish_reason, usage, tail_);
    tell(merged);
  }

  // Called once, for the terminal event.
  void end(const Done& done) {
    if (done.failed() && done.error) {
      json_ = error_json(Protocol::gemini, error_of(*done.error, std::nullopt), "");
      tell(1);
    } else {
      tell_calls();
      parts_ = R"({"text":""})";
      chunk(1, gemini_finish_reason(done, malformed_), gemini_usage(done));
    }
    if (as_array_) write_raw("]\n");
  }

  void tell(uint64_t merged) {
    if (!as_array_) return write_delta("", json_, merged);
    write_raw(first_ ? "[" : ",\n");
    write_raw(json_);
    first_ = false;
  }

  const bool as_array_;
  const std::string tail_;
  std::string parts_, json_;  // reused
  std::map<uint64_t, Call> calls_;
  std::string held_;  // parts to send after the held calls, each after a comma
  bool malformed_ = false, first_ = true;
};

}  // namespace

std::unique_ptr<Encoder> make_gemini_encoder(const GeminiFacts& facts, bool as_array) {
  return std::make_unique<GeminiEncoder>(facts, as_array);
}

}  // namespace tokenrelay::surface
