#include "service/relay/tail.h"

#include <cassert>

#include "service/relay/format.h"

namespace tokenrelay::relay {

std::string_view Tail::payload(Seq seq) const {
  const auto i = seq - first_;
  const auto begin = entries_[i].offset - dropped_;
  const auto end = (i + 1 < entries_.size() ? entries_[i + 1].offset : end_offset()) - dropped_;
  return std::string_view(bytes_).substr(begin, end - begin);
}

uint64_t Tail::bytes_after(Seq seq) const {
  if (seq >= last()) return 0;
  return end_offset() - (seq < first_ ? entries_.front() : entries_[seq + 1 - first_]).offset;
}

void Tail::push(storage::EventKind kind, std::string_view payload) {
  entries_.push_back({end_offset(), kind});
  bytes_ += payload;
}

void Tail::trim(Seq durable) {
  size_t front = 0;
  while (!entries_.empty() && first_ <= durable && end_offset() - entries_.front().offset > tail_bytes) {
    entries_.pop_front();
    ++first_;
  }
  front = (entries_.empty() ? end_offset() : entries_.front().offset) - dropped_;
  if (front > bytes_.size() / 2 || front > tail_bytes / 2) {  // moving bytes now and then, not at each trim
    bytes_.erase(0, front);
    dropped_ += front;
  }
}

// Skips what no reader that keeps up could still want, encodes the rest.
void Tail::encode_up_to(const std::vector<Run>& runs, Seq upto) {
  Seq next = wire_first_ + wire_ends_.size();
  if (upto >= next && upto - next >= wire_events) {
    wire_.clear();
    wire_ends_.clear();
    next = wire_first_ = upto - wire_events + 1;
  }
  if (next < first_) {
    wire_.clear();
    wire_ends_.clear();
    next = wire_first_ = first_;
  }
  for (; next <= upto; ++next) {
    sse_format().append(wire_, runs, next, kind(next), payload(next));
    wire_ends_.push_back(static_cast<uint32_t>(wire_.size()));
  }
  // Forget the oldest in bulk, when twice what is needed has gathered.
  size_t drop = 0;
  while (wire_ends_.size() - drop > 2 * wire_events ||
         (drop + 1 < wire_ends_.size() && wire_.size() - wire_ends_[drop] > 2 * wire_bytes)) {
    ++drop;
  }
  if (drop == 0) return;
  if (wire_ends_.size() - drop > wire_events) drop = wire_ends_.size() - wire_events;
  const auto cut = wire_ends_[drop - 1];
  wire_.erase(0, cut);
  wire_ends_.erase(wire_ends_.begin(), wire_ends_.begin() + static_cast<ptrdiff_t>(drop));
  for (auto& end : wire_ends_) end -= cut;
  wire_first_ += drop;
}

std::optional<std::string_view> Tail::wire(const std::vector<Run>& runs, Seq after, Seq upto) {
  assert(upto <= last() && after < upto);
  if (upto - after > wire_events || after + 1 < first_) return std::nullopt;
  encode_up_to(runs, upto);
  if (after + 1 < wire_first_) return std::nullopt;
  const auto from = after + 1 == wire_first_ ? 0 : wire_ends_[after - wire_first_];
  const auto to = wire_ends_[upto - wire_first_];
  if (to - from > wire_bytes && upto - after > 1) return std::nullopt;
  return std::string_view(wire_).substr(from, to - from);
}

}  // namespace tokenrelay::relay
