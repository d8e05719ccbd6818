// Readers: owns every SSE reader of a shard, so that each has an owner and all can be counted and ended.
#pragma once

#include <memory>
#include <unordered_map>

#include "service/transport/loop.h"

namespace tokenrelay::api {

class SseReader;

class Readers {
 public:
  explicit Readers(transport::Loop& loop);
  ~Readers();

  SseReader& keep(std::unique_ptr<SseReader> reader);
  void release(SseReader& reader);   // it is over: destroyed soon, never inside its own call
  size_t count() const { return readers_.size(); }

  // Ends all readers for good: a reader that comes from now on is asked to come back later.
  void close() { closed_ = true; }
  bool closed() const { return closed_; }

 private:
  transport::Loop& loop_;
  std::shared_ptr<bool> alive_;
  std::unordered_map<SseReader*, std::unique_ptr<SseReader>> readers_;
  bool closed_ = false;
};

}  // namespace tokenrelay::api
