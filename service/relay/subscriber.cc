#include "service/relay/subscriber.h"

#include <algorithm>

#include "service/relay/batch.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {

Subscriber::Subscriber(std::shared_ptr<Stream> stream, Seq after, bool coalesce, Format& format, Sink& sink)
    : stream_(std::move(stream)),
      sink_(sink),
      format_(format),
      position_(after),
      replay_end_(stream_->durable()),
      coalesce_(coalesce) {
  stream_->attach(*this);
}

Subscriber::~Subscriber() {
  detach(false);
}

void Subscriber::detach(bool cut_by_relay) {
  over_ = true;
  alive_.end();
  block_.reset();
  if (attached_) stream_->detach(*this, cut_by_relay);
}

void Subscriber::cut(CutReason reason) {
  if (over_) return;
  detach(true);
  sink_.cut(reason);
}

void Subscriber::pump() {
  while (!over_ && !reading_ && sink_.has_room()) {
    const Seq durable = stream_->durable();
    const bool broken = stream_->broken();
    if (position_ >= durable) {
      if (broken) cut(CutReason::log_failed);  // everything durable was sent
      return;
    }
    if (block_) {
      deliver_from_block(durable);
    } else if (!stream_->tail().holds(position_ + 1)) {
      read_log();
    } else if (!deliver_wire(durable)) {
      deliver_from_tail(durable);
    } else if (!broken) {
      return;  // all sent; do not touch this object again: the write has evicted it from the cache
    }
  }
}

// The hot path: what is due is one slice of bytes shared by all readers.
bool Subscriber::deliver_wire(Seq durable) {
  const bool replaying = coalesce_ && position_ < replay_end_ && replay_end_ - position_ > 1;
  if (replaying || &format_ != &sse_format()) return false;
  if (coalesce_ && stream_->context().crowded && durable - position_ > 1) return deliver_merged(durable);
  const auto wire = stream_->tail().wire(stream_->runs(), position_, durable);
  if (!wire) return false;
  send(*wire, durable, 0);
  return true;
}

bool Subscriber::deliver_merged(Seq durable) {
  const auto merged = stream_->tail().merged(stream_->runs(), position_, durable);
  if (!merged) return false;
  send(merged->events, durable, merged->count);
  return true;
}

void Subscriber::deliver_from_tail(Seq durable) {
  const Tail& tail = stream_->tail();
  Batch batch(format_, stream_->runs(), coalesce_);
  Seq seq = position_;
  while (seq < durable && !batch.full()) {
    ++seq;
    batch.add(seq, tail.kind(seq), tail.payload(seq));
  }
  send(batch.finish(), seq, batch.merged());
}

// The log may know of a commit before the stream does. Events that the stream does not call durable yet are left for
// later, or the reader would run past an end without being told.
void Subscriber::deliver_from_block(Seq durable) {
  const auto block = block_;
  Batch batch(format_, stream_->runs(), coalesce_);
  Seq seq = position_;
  const Seq first = block->entries.front().seq;
  const Seq end = std::min(block->entries.back().seq, durable);
  while (seq < end && !batch.full()) {
    ++seq;
    const auto& entry = block->entries[seq - first];
    batch.add(seq, entry.kind, block->payload(entry));
  }
  if (seq == end) block_.reset();
  send(batch.finish(), seq, batch.merged());
}

void Subscriber::send(std::string_view events, Seq last, uint64_t merged) {
  auto& metrics = stream_->context().metrics;
  metrics.lag(stream_->durable() - position_);
  if (position_ < replay_end_) metrics.replayed(std::min(last, replay_end_) - position_);
  if (merged > 0) metrics.merged(merged);
  position_ = last;
  const bool terminal = stream_->ended() && last == stream_->durable();
  if (terminal) detach(false);
  if (events.empty() && !terminal) return;  // nothing of it is shown to this reader
  sink_.send(events, terminal);
}

void Subscriber::read_log() {
  reading_ = true;
  stream_->read(position_, [this, here = alive_.mark()](storage::Result<std::shared_ptr<const storage::Block>> block) {
    if (!here) return;
    reading_ = false;
    const bool usable = block && !(*block)->entries.empty() && (*block)->entries.front().seq <= position_ + 1 &&
                        (*block)->entries.back().seq > position_;
    if (!usable) return cut(CutReason::unreadable);
    block_ = std::move(*block);
    pump();
  });
}

}  // namespace tokenrelay::relay
