#include "service/relay/batch.h"

#include "service/relay/event_codec.h"

namespace tokenrelay::relay {

void Batch::add(Seq seq, storage::EventKind kind, std::string_view payload) {
  if (!coalesce_ || !format_.merges()) {
    flush();
    format_.append(out_, runs_, seq, kind, payload);
    return;
  }
  if (pending_seq_ != 0 && kind == pending_kind_ && mergeable(kind, pending_, payload)) {
    const auto part = merge_part(kind, payload);
    if (pending_.size() + part.size() <= merge_bytes) {
      pending_ += part;
      pending_seq_ = seq;
      ++merged_;
      return;
    }
  }
  flush();
  pending_.assign(payload);
  pending_kind_ = kind;
  pending_seq_ = seq;
}

void Batch::flush() {
  if (pending_seq_ == 0) return;
  format_.append(out_, runs_, pending_seq_, pending_kind_, pending_);
  pending_seq_ = 0;
  pending_.clear();
}

const std::string& Batch::finish() {
  flush();
  return out_;
}

}  // namespace tokenrelay::relay
