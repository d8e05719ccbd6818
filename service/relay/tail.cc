#include "service/relay/tail.h"

#include <algorithm>
#include <cassert>

#include "service/relay/batch.h"

namespace tokenrelay::relay {

struct Tail::MergedPart {
  Seq after, upto;
  std::string events;
  uint64_t count;
};

Tail::Tail(Seq last) : first_(last + 1), wire_first_(last + 1) {}

Tail::~Tail() = default;

std::string_view Tail::payload(Seq seq) const {
  const uint32_t begin = at(seq).offset - dropped_;
  const uint32_t end = (seq < last() ? at(seq + 1).offset : end_offset()) - dropped_;
  return std::string_view(bytes_).substr(begin, end - begin);
}

uint64_t Tail::bytes_after(Seq seq) const {
  if (seq >= last()) return 0;
  return end_offset() - at(std::max(seq + 1, first_)).offset;
}

void Tail::push(storage::EventKind kind, std::string_view payload) {
  entries_.push_back({end_offset(), kind});
  // Doubling would waste as much memory as the text of a thousand streams takes.
  const size_t size = bytes_.size() + payload.size();
  if (size > bytes_.capacity()) bytes_.reserve(size + std::max<size_t>(256, size / 4));
  bytes_ += payload;
}

void Tail::trim(Seq durable) {
  if (bytes_.size() <= tail_bytes && count() <= tail_events) return;
  while (count() > 0 && first_ <= durable && (end_offset() - at(first_).offset > tail_bytes || count() > tail_events)) {
    ++forgotten_;
    ++first_;
  }
  if (forgotten_ > tail_events / 4) {  // moving entries and bytes now and then, not at each trim
    entries_.erase(entries_.begin(), entries_.begin() + forgotten_);
    forgotten_ = 0;
  }
  const uint32_t front = (count() == 0 ? end_offset() : at(first_).offset) - dropped_;
  if (front > bytes_.size() / 2 || front > tail_bytes / 2) {
    bytes_.erase(0, front);
    dropped_ += front;
  }
}

void Tail::forget_encoded(Seq upto) {
  const size_t count = upto + 1 - wire_first_;
  if (count >= wire_ends_.size()) {
    wire_.clear();
    wire_ends_.clear();
  } else {
    const uint32_t cut = wire_ends_[count - 1];
    wire_.erase(0, cut);
    wire_ends_.erase(wire_ends_.begin(), wire_ends_.begin() + static_cast<ptrdiff_t>(count));
    for (auto& end : wire_ends_) end -= cut;
  }
  wire_first_ = upto + 1;
}

// Readers that keep up are nearly always at the same position. Encoded text before the current reader's position is
// kept only while it is small, and encoded again for a reader that still needs it.
void Tail::encode(const std::vector<Run>& runs, Seq after, Seq upto) {
  const Seq encoded = wire_first_ + wire_ends_.size() - 1;
  if (after + 1 < wire_first_ || after > encoded) {
    wire_.clear();
    wire_ends_.clear();
    wire_first_ = after + 1;
  } else if (wire_.size() > kept_bytes && after >= wire_first_) {
    forget_encoded(after);
  }
  for (Seq next = wire_first_ + wire_ends_.size(); next <= upto; ++next) {
    sse_format().append(wire_, runs, next, kind(next), payload(next));
    wire_ends_.push_back(static_cast<uint32_t>(wire_.size()));
  }
}

bool Tail::keeps_up(Seq after, Seq upto) const {
  if (upto - after > wire_events || after + 1 < first_) return false;
  return upto - after == 1 || bytes_after(after) - bytes_after(upto) <= wire_bytes;
}

std::optional<std::string_view> Tail::wire(const std::vector<Run>& runs, Seq after, Seq upto) {
  assert(upto <= last() && after < upto);
  const bool several = upto - after > 1;
  merged_.reset();
  if (!keeps_up(after, upto)) return std::nullopt;  // without encoding it first
  encode(runs, after, upto);
  const auto from = after + 1 == wire_first_ ? 0 : wire_ends_[after - wire_first_];
  const auto to = wire_ends_[upto - wire_first_];
  if (several && to - from > wire_bytes) return std::nullopt;
  return std::string_view(wire_).substr(from, to - from);
}

std::optional<Tail::Merged> Tail::merged(const std::vector<Run>& runs, Seq after, Seq upto) {
  assert(upto <= last() && after < upto);
  if (!keeps_up(after, upto)) return std::nullopt;
  if (!merged_ || merged_->after != after || merged_->upto != upto) {
    Batch batch(sse_format(), runs, true);
    for (Seq seq = after + 1; seq <= upto; ++seq) batch.add(seq, kind(seq), payload(seq));
    const std::string& events = batch.finish();
    merged_.reset(new MergedPart{after, upto, events, batch.merged()});
  }
  return Merged{merged_->events, merged_->count};
}

}  // namespace tokenrelay::relay
