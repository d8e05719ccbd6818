// Batch: events for a reader that is behind, encoded as one piece in its format, with neighbouring deltas merged.
//
// A merged event carries the last one's id, so every id on a connection exists in the log, and ids strictly increase.
// Bounds: stops taking events at batch_bytes of output; a merged delta is at most merge_bytes of payload.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/relay/format.h"

namespace tokenrelay::relay {

class Batch {
 public:
  static constexpr size_t batch_bytes = 64 << 10;
  static constexpr size_t merge_bytes = 16 << 10;

  Batch(Format& format, const std::vector<Run>& runs, bool coalesce)
      : format_(format), runs_(runs), coalesce_(coalesce) {}

  bool full() const { return out_.size() + pending_.size() >= batch_bytes; }
  void add(Seq seq, storage::EventKind kind, std::string_view payload);
  const std::string& finish();  // everything added, encoded
  uint64_t merged() const { return merged_; }

 private:
  void flush();

  Format& format_;
  const std::vector<Run>& runs_;
  const bool coalesce_;
  std::string out_;
  std::string pending_;  // payload of the event still open for merging
  storage::EventKind pending_kind_{};
  Seq pending_seq_ = 0;  // 0: none
  uint64_t merged_ = 0;
};

}  // namespace tokenrelay::relay
