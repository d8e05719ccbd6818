// Encoder: turns a stream's events into the wire events of another protocol. Each reader has its own, which is fed
// every event from the first.
//
// Wire events are a pure function of the log. They are numbered from 0, as if deltas were never merged: a merged delta
// has its last number. Events up to the number given to skip_to() are counted but not written. So a protocol's own
// cursor (`starting_after`) needs no index: feed everything, and the output is what follows the cursor.
//
// A subclass implements on_event() with write() and write_delta(). Threads: one reader's. Bounds: the subclass's, which
// reports what it holds with keeps(); the base class holds nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/relay/format.h"

namespace tokenrelay::surface {

class Encoder : public relay::Format {
 public:
  // `with_ids`: the last wire event of each event of the log has an `id:` line, unless omit_id() was called.
  explicit Encoder(bool with_ids) : with_ids_(with_ids) {}

  void append(std::string& out, const std::vector<relay::Run>& runs, relay::Seq seq, storage::EventKind kind,
              std::string_view payload) final;

  void skip_to(uint64_t number) { skip_ = number + 1; }
  uint64_t next_number() const { return number_; }
  relay::Seq seq() const { return seq_; }  // of the last event fed
  size_t held_bytes() const final { return held_; }

 protected:
  // Takes one event of the log. A delta stands for `merged` events (at least 1).
  virtual void on_event(storage::EventKind kind, std::string_view payload, uint64_t merged) = 0;

  // Writes a wire event: a block with one `data` line, and an `event` line unless `name` is empty. `json` must be one
  // line.
  void write(std::string_view name, std::string_view json) { write_delta(name, json, 1); }
  // The same for a delta that stands for `merged` wire events; its number is number_of_next(merged).
  void write_delta(std::string_view name, std::string_view json, uint64_t merged);
  // The number that the next wire event will have.
  uint64_t number_of_next(uint64_t merged = 1) const { return number_ + merged - 1; }
  // Reports how many bytes of the events the subclass holds now.
  void keeps(size_t bytes) { held_ = bytes; }
  // Writes bytes that are not a wire event, such as `[DONE]`.
  void write_raw(std::string_view bytes);
  // What the event now being encoded becomes has no `id:` line.
  void omit_id() { omit_id_ = true; }

 private:
  const bool with_ids_;
  uint64_t number_ = 0, skip_ = 0;
  relay::Seq seq_ = 0;
  std::string* out_ = nullptr;
  size_t held_ = 0;
  bool omit_id_ = false;
};

}  // namespace tokenrelay::surface
