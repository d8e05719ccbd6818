// Readers: owns every connection of a shard that outlives its request (SSE readers, control sockets), so that all can
// be counted and ended.
#pragma once

#include <memory>
#include <unordered_map>

#include "service/transport/lifeline.h"
#include "service/transport/loop.h"

namespace tokenrelay::api {

class Reader {
 public:
  virtual ~Reader() = default;
  virtual bool awaits_events() const = 0;
  virtual void leave() = 0;  // the relay shuts down: end in the way of this kind of connection
};

class Readers {
 public:
  explicit Readers(transport::Loop& loop);
  ~Readers();

  void keep(std::unique_ptr<Reader> reader);
  void release(Reader& reader);  // it is over: destroys it soon, never inside its own call
  size_t waiting() const;        // those that have not been sent everything yet

  // No new readers: one that arrives from now on is asked to come back later.
  void close() { closed_ = true; }
  void leave_all();
  void clear() { readers_.clear(); }  // cuts what is left
  bool closed() const { return closed_; }

 private:
  transport::Loop& loop_;
  transport::Alive alive_;
  std::unordered_map<Reader*, std::unique_ptr<Reader>> readers_;
  bool closed_ = false;
};

}  // namespace tokenrelay::api
