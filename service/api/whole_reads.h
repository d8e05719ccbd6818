// WholeReads: the bytes that whole answers may hold at once: states, whole responses, what readers of a surface gather.
//
// A stream of events costs a reader one block; an answer that is read whole costs what it says, in several copies,
// until the client has taken it. Each such read has a share of one budget: asked for before anything is gathered, given
// back when the last byte has left for the kernel or the connection is over. What takes no more than `free_bytes` is as
// cheap as any reader and is not counted. One read may pass the whole budget, when nothing else is in flight.
//
// Counted is what a read holds from one turn of the loop to the next. What it takes while it is put into words, within
// one turn, is there once, however many read: the process needs room for that beside the budget.
//
// Those that ask wait their turn in the order in which they came, for a bounded time. A share grows without waiting:
// nobody waits while holding one. Threads: the loop's. A share may outlive the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "service/transport/loop.h"

namespace tokenrelay::api {

class WholeReads {
 public:
  static constexpr size_t free_bytes = 64 << 10;

  class Share;
  using SharePtr = std::shared_ptr<Share>;
  using Granted = std::function<void(SharePtr)>;

  // `limit` is asked each time: a reload may change it.
  WholeReads(transport::Loop& loop, std::function<uint64_t()> limit);
  ~WholeReads();  // those that wait are never called
  WholeReads(const WholeReads&) = delete;
  WholeReads& operator=(const WholeReads&) = delete;

  // `done` gets the share: at once where there is room, else later from the loop; null after `wait_ms`.
  void ask(size_t bytes, int64_t wait_ms, Granted done);
  SharePtr none();  // a share of nothing, to grow

  size_t held_bytes() const;  // by all shares
  uint64_t refused() const;   // asks and growths, since the start

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class WholeReads::Share {
 public:
  Share(std::shared_ptr<State> state, size_t bytes) : state_(std::move(state)), bytes_(bytes) {}
  ~Share() { (void)resize(0); }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  // False: over the budget, and it keeps what it had. To fewer bytes always succeeds.
  [[nodiscard]] bool resize(size_t bytes);
  [[nodiscard]] bool grow_to(size_t bytes) { return bytes <= bytes_ || resize(bytes); }
  size_t bytes() const { return bytes_; }  // that are counted

 private:
  const std::shared_ptr<State> state_;
  size_t bytes_;
};

}  // namespace tokenrelay::api
