// Encoder: a stream's events as the wire events of another protocol: one reader's encoder, fed every event from the first.
//
// Wire events are a pure function of the log. They are numbered from 0, as if no deltas had ever been merged: a merged
// delta carries its last number. What is numbered up to skip_to() is counted and not written, which is how a protocol's
// own cursor (`starting_after`) is found: feed everything, and what comes out is what follows it.
//
// A subclass implements on_event() with write() and write_delta(). Threads: one reader's. Bounds: the subclass's, which
// says what it holds; the base holds nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/relay/format.h"

namespace tokenrelay::surface {

class Encoder : public relay::Format {
 public:
  // `with_ids`: an `id:` line in the block of the last wire event of each event of the log.
  explicit Encoder(bool with_ids) : with_ids_(with_ids) {}

  void append(std::string& out, const std::vector<relay::Run>& runs, relay::Seq seq, storage::EventKind kind,
              std::string_view payload) final;

  void skip_to(uint64_t number) { skip_ = number + 1; }
  uint64_t next_number() const { return number_; }
  relay::Seq seq() const { return seq_; }  // the last event fed
  size_t held_bytes() const final { return held_; }

 protected:
  // One event of the log; `merged` (at least 1) of them, if it is a delta.
  virtual void on_event(storage::EventKind kind, std::string_view payload, uint64_t merged) = 0;

  // A wire event: a block with one `data` line, and an `event` line unless `name` is empty. `json` on one line.
  void write(std::string_view name, std::string_view json) { write_delta(name, json, 1); }
  // The same standing for `merged` wire events: they count, and the last one's number is number_of_this().
  void write_delta(std::string_view name, std::string_view json, uint64_t merged);
  // The number that the wire event written next will carry.
  uint64_t number_of_next(uint64_t merged = 1) const { return number_ + merged - 1; }
  // Of what the events brought, the subclass keeps so many bytes now.
  void keeps(size_t bytes) { held_ = bytes; }
  // Bytes that are no wire event: a `[DONE]`.
  void write_raw(std::string_view bytes);

 private:
  const bool with_ids_;
  uint64_t number_ = 0, skip_ = 0;
  relay::Seq seq_ = 0;
  std::string* out_ = nullptr;
  size_t held_ = 0;
};

}  // namespace tokenrelay::surface
