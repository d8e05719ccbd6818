// A stream's readers: its followers, and their reads of what is no longer in its tail.
#include <cassert>

#include "service/relay/stream.h"

namespace tokenrelay::relay {

void Stream::attach(Subscriber& subscriber) {
  subscriber.attached_ = true;
  subscriber.index_ = followers_.size();
  followers_.push_back(&subscriber);
  if (policy_ && !ended()) policy_->on_reader();
}

void Stream::detach(Subscriber& subscriber, bool cut_by_relay) {
  assert(subscriber.attached_ && followers_[subscriber.index_] == &subscriber);
  followers_[subscriber.index_] = followers_.back();
  followers_[subscriber.index_]->index_ = subscriber.index_;
  followers_.pop_back();
  subscriber.attached_ = false;
  const bool running = phase_ == Phase::queued || phase_ == Phase::streaming;
  if (followers_.empty() && policy_ && running && !broken_) policy_->on_last_reader_left(cut_by_relay);
  notice_unread();
}

void Stream::notice_unread() {
  if (subscribers() == 0 && unread_timer_ && unread_timer_->armed())
    unread_timer_->arm(0);  // later, not inside a reader's call
}

std::shared_ptr<void> Stream::reading() {
  ++readings_;
  return {static_cast<void*>(this), [self = weak_from_this()](void*) {
            const auto stream = self.lock();
            if (!stream) return;
            --stream->readings_;
            stream->notice_unread();
          }};
}

void Stream::when_unread(int64_t within_ms, std::function<void()> then) {
  if (!unread_timer_)
    unread_timer_ = std::make_unique<transport::Timer>(context_.loop.timers(), [this] { notify_unread(); });
  waiting_for_unread_.push_back(std::move(then));
  if (subscribers() == 0) return notify_unread();
  if (!unread_timer_->armed()) unread_timer_->arm(within_ms);
}

void Stream::notify_unread() {
  const auto self = shared_from_this();
  unread_timer_->cancel();
  for (auto& then : std::exchange(waiting_for_unread_, {})) then();
}

// Backwards: a reader that leaves during its turn is replaced by one that has already had its turn.
void Stream::wake_followers() {
  if (followers_.size() == 1) return followers_.front()->pump();
  for (size_t i = followers_.size(); i-- > 0;) {
    if (i < followers_.size()) followers_[i]->pump();
  }
}

void Stream::cut_readers(CutReason reason) {
  while (!followers_.empty()) followers_.back()->cut(reason);
}

void Stream::read(Seq after, BlockRead done) {
  if (auto block = shared_block_.lock(); block && shared_after_ == after) return done(std::move(block));
  auto& waiting = reads_[after];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  context_.log.read(row_.key, after, block_bytes,
                    [self = weak_from_this(), after](storage::Result<std::shared_ptr<const storage::Block>> block) {
                      const auto stream = self.lock();
                      if (!stream) return;
                      if (block) {
                        stream->shared_after_ = after;
                        stream->shared_block_ = *block;
                      }
                      const auto served = std::move(stream->reads_[after]);
                      stream->reads_.erase(after);
                      for (const auto& reader : served) reader(block);
                    });
}

}  // namespace tokenrelay::relay
