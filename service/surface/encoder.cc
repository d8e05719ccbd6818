#include "service/surface/encoder.h"

#include <cassert>
#include <utility>

namespace tokenrelay::surface {

void Encoder::append(std::string& out, const std::vector<relay::Run>& runs, relay::Seq seq, storage::EventKind kind,
                     std::string_view payload) {
  assert(seq > seq_);
  const uint64_t merged = seq - seq_;
  seq_ = seq;
  out_ = &out;
  const size_t before = out.size();
  on_event(kind, payload, merged);
  out_ = nullptr;
  if (std::exchange(omit_id_, false) || !with_ids_ || out.size() == before) return;
  assert(out.ends_with("\n\n"));
  out.pop_back();  // the blank line that ends the last block: the id goes into that block
  out += "id: ";
  relay::append_event_id(out, runs, seq);
  out += "\n\n";
}

void Encoder::write_delta(std::string_view name, std::string_view json, uint64_t merged) {
  number_ += merged;
  if (number_ <= skip_) return;
  if (!name.empty()) {
    *out_ += "event: ";
    *out_ += name;
    *out_ += '\n';
  }
  *out_ += "data: ";
  *out_ += json;
  *out_ += "\n\n";
}

void Encoder::write_raw(std::string_view bytes) {
  *out_ += bytes;
}

}  // namespace tokenrelay::surface
