// WholeReads: a budget for the bytes of whole answers: states, whole responses, what readers of a surface gather.
//
// A stream of events costs a reader one block; an answer that is read whole costs its full size, in several copies,
// until the client has taken it. Each such read has a share of one budget: requested before anything is gathered, given
// back when the kernel has taken the last byte or the connection is over. A read of at most `free_bytes` is as cheap as
// any reader and is not counted. One read may exceed the whole budget if nothing else is in flight.
//
// Only what a read holds between two turns of the loop is counted. What it needs while it is encoded, within one turn,
// exists once, however many read: the process needs room for that beside the budget.
//
// Requests wait in order, for a bounded time. A share grows without waiting: nobody waits while holding one.
// Threads: the loop's. A share may outlive the budget.
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

  // `limit` is called each time: a reload may change it.
  WholeReads(transport::Loop& loop, std::function<uint64_t()> limit);
  ~WholeReads();  // waiting requests are dropped uncalled
  WholeReads(const WholeReads&) = delete;
  WholeReads& operator=(const WholeReads&) = delete;

  // `done` gets the share: at once if there is room, else later from the loop; null after `wait_ms`. A request that
  // waits and is not `wanted` any more is dropped uncalled, so that nobody waits behind it.
  void ask(size_t bytes, int64_t wait_ms, Granted done, std::function<bool()> wanted = {});
  SharePtr none();  // an empty share, to grow

  size_t held_bytes() const;  // by all shares
  uint64_t refused() const;   // requests and growths, since the start

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

  // False: over the budget, and it keeps its size. Shrinking always succeeds.
  [[nodiscard]] bool resize(size_t bytes);
  [[nodiscard]] bool grow_to(size_t bytes) { return bytes <= bytes_ || resize(bytes); }
  size_t bytes() const { return bytes_; }  // those counted

 private:
  const std::shared_ptr<State> state_;
  size_t bytes_;
};

}  // namespace tokenrelay::api
