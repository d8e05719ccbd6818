#include "service/surface/gemini/encoder.h"

#include <map>
#include <utility>

#include "service/json/sax.h"
#include "service/relay/event_codec.h"
#include "service/surface/gemini/chunk.h"
#include "service/surface/gemini/fold.h"
#include "service/surface/gemini/opaque.h"
#include "service/surface/own_replay.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

class GeminiEncoder final : public Encoder {
 public:
  GeminiEncoder(const GeminiFacts& facts, bool as_array)
      : Encoder(false), as_array_(as_array), tail_(gemini_tail(facts)) {
    own_.serve({"responseId"}, facts.id);
  }

 private:
  struct Call {
    std::string id, name, arguments, signature;
    size_t read_bytes = 0;  // of the arguments, when they were last found not to be whole
    bool told = false;

    // Only arguments that have grown are read again: much text may stand between two pieces.
    bool is_whole() {
      if (!arguments.starts_with('{') || arguments.size() == std::exchange(read_bytes, arguments.size())) return false;
      return json::is_json(arguments);
    }
  };

  bool merges() const override { return !own_.began(); }  // the provider's deltas come one by one, as it sent them

  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    switch (own_.take(kind, payload)) {
      case OwnReplay::Step::skip:
        return keeps(own_.held_bytes());
      case OwnReplay::Step::event:
        return own_event(1);
      case OwnReplay::Step::delta:
        return own_event(merged);
      case OwnReplay::Step::begin:
      case OwnReplay::Step::translate:
        break;
    }
    translate(kind, payload, merged);
  }

  // One as the provider sent it. Only few chunks say why the answer ends, and those alone are parsed.
  void own_event(uint64_t merged) {
    json_ = own_.json();
    const bool may_end = json_.find("\"finishReason\"") != json_.npos || json_.find("\"blockReason\"") != json_.npos ||
                         json_.find("\"error\"") != json_.npos;
    if (may_end) own_ended_ |= ends_gemini(json_);
    tell(merged);
  }

  void translate(EventKind kind, std::string_view payload, uint64_t merged) {
    switch (kind) {
      case EventKind::text:
      case EventKind::reasoning:
        tell_calls(false);
        parts_.clear();
        append_gemini_text(parts_, payload, kind == EventKind::reasoning);
        return chunk(merged);
      case EventKind::tool_call:
        return take_call(payload);
      case EventKind::opaque:
        return opaque(payload);
      case EventKind::done:
        return end(read_done(payload));
      case EventKind::steer:  // calls before it are void, the malformed ones too
        calls_.clear();
        waiting_ = 0;
        keeps(0);
        held_.clear();
        malformed_ = false;
        return;
      case EventKind::start:
      case EventKind::upstream:
      case EventKind::own:
        return;
    }
  }

  // Calls may be interleaved, with one another and with text: each is held until it is whole and something else
  // follows. One without arguments yet may still get some.
  void take_call(std::string_view payload) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece) return;
    const auto [place, is_new] = calls_.try_emplace(piece->index);
    Call& call = place->second;
    if (is_new) ++waiting_;
    if (call.told) {  // whole, and then more
      malformed_ |= !piece->arguments.empty();
      return;
    }
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
      const auto call = calls_.find(index->get<uint64_t>());
      if (call != calls_.end() && !call->second.told) {
        call->second.signature = gemini_signature(*object);
        return;
      }
    }
    parts_ = gemini_signature_part(*object);
    if (parts_.empty()) return;
    if (waiting_ == 0) return chunk(1);
    held_ += "," + parts_;
  }

  void tell_calls(bool all) {
    if (waiting_ == 0 && held_.empty()) return;
    parts_.clear();
    size_t kept_bytes = 0;
    for (auto& [index, call] : calls_) {
      if (call.told) continue;
      if (!all && !call.is_whole()) {
        kept_bytes += call.arguments.size();
        continue;
      }
      const std::string part = gemini_call_part(call.id, call.name, call.arguments, call.signature);
      malformed_ |= part.empty();
      if (!part.empty()) parts_ += "," + part;
      call = {};
      call.told = true;
      --waiting_;
    }
    parts_ += std::exchange(held_, {});
    keeps(kept_bytes);
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
    if (own_.began() && own_ended_) {
      if (as_array_) write_raw("]\n");
      return;
    }
    if (done.failed() && done.error) {
      json_ = error_json(Protocol::gemini, error_of(*done.error, std::nullopt), "");
      tell(1);
    } else {
      tell_calls(true);
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
  size_t waiting_ = 0;  // of them, not told
  std::string held_;    // parts to send after the held calls, each after a comma
  bool malformed_ = false, first_ = true;
  OwnReplay own_{own_kind(Protocol::gemini)};
  bool own_ended_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_gemini_encoder(const GeminiFacts& facts, bool as_array) {
  return std::make_unique<GeminiEncoder>(facts, as_array);
}

}  // namespace tokenrelay::surface
