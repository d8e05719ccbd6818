// Tail: a live stream's recent events in memory, raw, and the newest of them encoded for SSE once for all readers.
//
// A reader that keeps up gets a slice of the encoded bytes. One that is behind gets merged deltas, made from the raw
// events; one that is behind the tail reads the log (which also has a live stream's events in memory). So the encoded
// part holds what the latest readers asked for, and is made only if the stream has readers. Threads: the stream's
// shard. Bounds: tail_bytes of raw payload and tail_events of durable events (those not yet durable are bounded by the
// log's back-pressure); wire_bytes + one event of encoded text, and as much again merged while the machine is full.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/event_id.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Tail {
 public:
  static constexpr size_t tail_bytes = 32 << 10;
  static constexpr size_t tail_events = 128;
  static constexpr size_t wire_bytes = 16 << 10;  // a reader with more undelivered is behind …
  static constexpr size_t wire_events = 64;       // … or with more events than this
  static constexpr size_t kept_bytes = 2 << 10;   // encoded text kept for readers that ask later

  explicit Tail(Seq last = 0);
  ~Tail();

  Seq first() const { return first_; }  // first() == last() + 1: empty
  Seq last() const { return first_ + count() - 1; }
  bool holds(Seq seq) const { return seq >= first_ && seq <= last(); }
  storage::EventKind kind(Seq seq) const { return at(seq).kind; }
  std::string_view payload(Seq seq) const;

  uint64_t bytes_after(Seq seq) const;  // payload bytes of the events after `seq`

  void push(storage::EventKind kind, std::string_view payload);
  void trim(Seq durable);  // forgets the oldest durable events over the bounds

  // The events after `after` up to `upto` as SSE; nullopt: more than a reader that keeps up can lack. Valid until the
  // next call.
  std::optional<std::string_view> wire(const std::vector<Run>& runs, Seq after, Seq upto);

  // The same with neighbouring deltas merged, made once for all readers at that position.
  struct Merged {
    std::string_view events;
    uint64_t count;  // deltas merged into another event
  };
  std::optional<Merged> merged(const std::vector<Run>& runs, Seq after, Seq upto);

 private:
  struct Entry {
    uint32_t offset;  // of the payload, over the stream's life; may wrap around, since only differences are used
    storage::EventKind kind;
  };
  size_t count() const { return entries_.size() - forgotten_; }
  const Entry& at(Seq seq) const { return entries_[forgotten_ + (seq - first_)]; }
  bool keeps_up(Seq after, Seq upto) const;
  void encode(const std::vector<Run>& runs, Seq after, Seq upto);
  void forget_encoded(Seq upto);
  uint32_t end_offset() const { return dropped_ + static_cast<uint32_t>(bytes_.size()); }

  Seq first_;
  std::vector<Entry> entries_;
  uint32_t forgotten_ = 0;  // entries at the front that are no longer used; removed in bulk now and then
  uint32_t dropped_ = 0;    // the offset at which bytes_ begins
  std::string bytes_;       // payloads

  Seq wire_first_;  // first event in wire_
  std::string wire_;
  std::vector<uint32_t> wire_ends_;  // of each event in wire_

  struct MergedPart;
  std::unique_ptr<MergedPart> merged_;  // while the machine is full
};

}  // namespace tokenrelay::relay
