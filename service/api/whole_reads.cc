#include "service/api/whole_reads.h"

#include <list>
#include <utility>

#include "service/transport/timer_wheel.h"

namespace tokenrelay::api {
namespace {

size_t counted(size_t bytes) {
  return bytes <= WholeReads::free_bytes ? 0 : bytes;
}

}  // namespace

struct WholeReads::State : std::enable_shared_from_this<State> {
  struct Waiting {
    size_t bytes;
    Granted done;
    std::function<bool()> wanted;  // none: until its time is over
    std::unique_ptr<transport::Timer> deadline;
  };

  transport::Loop& loop;
  std::function<uint64_t()> limit;
  size_t held = 0;
  uint64_t refused = 0;
  std::list<Waiting> waiting;
  bool serving = false;  // a turn of serve() is due
  bool closed = false;

  State(transport::Loop& of, std::function<uint64_t()> most) : loop(of), limit(std::move(most)) {}

  // Whether `bytes` more fit, for a share that has `own` already.
  bool fits(size_t bytes, size_t own) const {
    const size_t others = held - own;
    return bytes == 0 || others == 0 || others + own + bytes <= limit();
  }

  SharePtr give(size_t bytes) {
    held += bytes;
    return std::make_shared<Share>(shared_from_this(), bytes);
  }

  void drop_unwanted() {
    waiting.remove_if([](const Waiting& one) { return one.wanted && !one.wanted(); });
  }

  void wait(size_t bytes, int64_t ms, Granted done, std::function<bool()> wanted) {
    const auto at = waiting.insert(waiting.end(), {bytes, std::move(done), std::move(wanted), nullptr});
    at->deadline = std::make_unique<transport::Timer>(loop.timers(), [this, at] { refuse(at); });
    at->deadline->arm(ms);
  }

  void refuse(std::list<Waiting>::iterator at) {
    const auto keep = shared_from_this();
    ++refused;
    const Waiting gone = std::move(*at);
    waiting.erase(at);
    serve_soon();  // smaller requests may have waited behind it
    gone.done(nullptr);
  }

  // Later, not now: shares are given back inside destructors.
  void serve_soon() {
    if (waiting.empty() || closed || std::exchange(serving, true)) return;
    loop.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->serve();
    });
  }

  void serve() {
    serving = false;
    drop_unwanted();
    while (!waiting.empty() && fits(waiting.front().bytes, 0)) {
      const Waiting next = std::move(waiting.front());
      waiting.pop_front();
      next.done(give(next.bytes));
    }
  }
};

WholeReads::WholeReads(transport::Loop& loop, std::function<uint64_t()> limit)
    : state_(std::make_shared<State>(loop, std::move(limit))) {}

WholeReads::~WholeReads() {
  state_->closed = true;
  state_->waiting.clear();
}

void WholeReads::ask(size_t bytes, int64_t wait_ms, Granted done, std::function<bool()> wanted) {
  bytes = counted(bytes);
  state_->drop_unwanted();
  const bool turn = bytes == 0 || state_->waiting.empty();
  if (turn && state_->fits(bytes, 0)) return done(state_->give(bytes));
  state_->wait(bytes, wait_ms, std::move(done), std::move(wanted));
}

WholeReads::SharePtr WholeReads::none() {
  return state_->give(0);
}

size_t WholeReads::held_bytes() const {
  return state_->held;
}

uint64_t WholeReads::refused() const {
  return state_->refused;
}

bool WholeReads::Share::resize(size_t bytes) {
  bytes = counted(bytes);
  if (bytes == bytes_) return true;
  const bool grows = bytes > bytes_;
  if (grows && !state_->fits(bytes - bytes_, bytes_)) {
    ++state_->refused;
    return false;
  }
  state_->held += bytes;
  state_->held -= bytes_;
  bytes_ = bytes;
  if (!grows) state_->serve_soon();
  return true;
}

}  // namespace tokenrelay::api
