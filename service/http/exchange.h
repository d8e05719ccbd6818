// One request with its state until it is answered and logged, and one connection's slot in the server.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "service/http/access.h"
#include "service/http/reply.h"
#include "service/http/request.h"
#include "service/http/server.h"

namespace tokenrelay::http {

// Writes the request's log line once: when told to, at the latest when its last owner releases it.
class Ticket {
 public:
  using Log = std::function<void(const RequestRecord&)>;
  Ticket(std::shared_ptr<Log> log, const transport::Clock& clock, int64_t started_us)
      : log_(std::move(log)), clock_(clock), started_us_(started_us) {}
  ~Ticket() { write(status_); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  RequestRecord& record() { return record_; }
  void will_be(int status) { status_ = status; }  // unless write() says otherwise
  void write(int status);

 private:
  std::shared_ptr<Log> log_;
  const transport::Clock& clock_;
  int64_t started_us_;
  int status_ = 0;
  RequestRecord record_;
};

// The bytes of one request's body, counted in the sum of all of them.
class BodyShare {
 public:
  explicit BodyShare(std::shared_ptr<size_t> all) : all_(std::move(all)) {}
  ~BodyShare() { *all_ -= held_; }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;

  void grow_to(size_t bytes) {
    *all_ += bytes - held_;
    held_ = bytes;
  }
  size_t all() const { return *all_; }

 private:
  std::shared_ptr<size_t> all_;
  size_t held_ = 0;
};

struct Exchange {
  std::unique_ptr<BodyShare> share;  // may be null
  Request request;
  Arrival arrival;
  std::optional<Origin> own;  // the relay's origin, as the client sees it
  HeaderList common;          // Request-Id, CORS and the like: on every reply to this request
  std::shared_ptr<Ticket> ticket;
  bool broken = false;  // it was refused before its end was known: more of it may arrive
};

// How many connections there are, and whether their ends are still to be reported.
struct ConnectionSlots {
  size_t taken = 0;
  bool closed = false;
};

// A connection's slot, from accept to its end, through every take-over and return. It is freed once, at the latest when
// its last owner releases it.
class ConnectionSlot {
 public:
  ConnectionSlot(std::shared_ptr<ConnectionSlots> taken, bool loopback, std::function<void()> ended)
      : taken_(std::move(taken)), ended_(std::move(ended)), loopback_(loopback) {
    ++taken_->taken;
  }
  ~ConnectionSlot() { end(); }
  ConnectionSlot(const ConnectionSlot&) = delete;
  ConnectionSlot& operator=(const ConnectionSlot&) = delete;

  bool loopback() const { return loopback_; }
  void end();

 private:
  std::shared_ptr<ConnectionSlots> taken_;
  std::function<void()> ended_;
  bool loopback_;
};

}  // namespace tokenrelay::http
