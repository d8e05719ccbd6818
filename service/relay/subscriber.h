// Subscriber: one reader of one stream: a cursor and a sink, no queue.
//
// When the stream's durable end moves, or the sink has room again, it pulls what follows its cursor (from the tail's
// encoded bytes if it keeps up, else merged, from the tail or the log) and writes once. A slow sink costs at most the
// one block it holds; it loses nothing and slows down nobody. Threads: the stream's shard. Ownership: a member of the
// object that is the sink.
#pragma once

#include <memory>
#include <string_view>

#include "service/relay/format.h"
#include "service/transport/lifeline.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Stream;

enum class CutReason { log_failed, unreadable, removed, retention, shutdown, whole_reads };

// Where a subscriber's events go: an SSE response, a WebSocket. It must not destroy the subscriber inside a call.
class Sink {
 public:
  virtual bool has_room() const = 0;
  // Whole events; `last`: they end with done, so end cleanly.
  virtual void send(std::string_view events, bool last) = 0;
  virtual void cut(CutReason reason) = 0;  // last call
 protected:
  ~Sink() = default;
};

class Subscriber {
 public:
  // Reads what follows `after`. Starts with pump().
  Subscriber(std::shared_ptr<Stream> stream, Seq after, bool coalesce, Format& format, Sink& sink);
  ~Subscriber();
  Subscriber(const Subscriber&) = delete;

  void pump();                     // the durable end moved, or the sink has room
  void cut(CutReason reason);      // by the relay: the sink is told once, then nothing more
  void detach(bool cut_by_relay);  // the reader is gone; idempotent
  Seq position() const { return position_; }
  Stream& stream() { return *stream_; }

 private:
  friend class Stream;
  bool deliver_wire(Seq durable);
  bool deliver_merged(Seq durable);
  void deliver_from_tail(Seq durable);
  void deliver_from_block(Seq durable);
  void send(std::string_view events, Seq last, uint64_t merged);
  void read_log();

  std::shared_ptr<Stream> stream_;
  Sink& sink_;
  Format& format_;
  Seq position_;          // everything up to here was handed to the sink
  const Seq replay_end_;  // what was durable when the reader came counts as replay
  const bool coalesce_;
  bool attached_ = false, reading_ = false, over_ = false;
  std::shared_ptr<const storage::Block> block_;
  transport::Alive alive_;  // guards a pending read
  size_t index_ = 0;        // in the stream's list of followers
};

}  // namespace tokenrelay::relay
