// StreamingBody: a long response on a taken connection, HTTP/1.1 chunks (RFC 9112 7.1) or, to an HTTP/1.0 client,
// close-delimited. Only finish() ends it cleanly: every other end is a cut (TCP reset), so that every client library
// notices it. Never `Connection: close` on HTTP/1.1: Node's fetch would take a cut for an end.
//
// It has no queue: write() sends what the kernel takes now and keeps the rest of that one write; the owner writes again
// after on_room(). An idle body holds no buffer. It notices at any time that the peer has left.
//
// Threads: loop thread. Ownership: the owner destroys it; destroying it unfinished cuts the connection. Callbacks are
// never called inside write(), finish() or cut(); the owner may destroy the body inside a callback.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "service/http/reply.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::http {

class StreamingBody {
 public:
  class Owner {
   public:
    virtual void on_room() = 0;  // everything written has left: write more
    virtual void on_gone() = 0;  // the peer left, or took no byte for write_stall_ms (then it was cut); last call
   protected:
    ~Owner() = default;
  };

  struct Options {
    int status = 200;    // 0: begin() sets it
    HeaderList headers;  // Content-Type and the like; Transfer-Encoding and those of TakenConnection are added
    int64_t write_stall_ms = 60'000;  // counts only while bytes are due
    size_t unread_bytes = 16 << 10;   // what a client may send meanwhile (kept until the end); beyond it, it is cut
  };

  StreamingBody(TakenConnection connection, Options options, Owner& owner);
  ~StreamingBody();

  // Sets the status and headers that Options left open; to be called before anything is written.
  void begin(int status, const HeaderList& headers);

  // Sends `parts` as one chunk in one writev, the head in front if it has not left. False: wait for on_room().
  // Must not be called while has_room() is false.
  bool write(std::span<const std::string_view> parts);
  bool flush_head();  // the head alone, at once
  bool has_room() const;

  // Sends `parts` and the last chunk in one write if the kernel has room; then the connection serves its next
  // request. `held` is released once the kernel has taken everything, or the connection is over.
  void finish(std::span<const std::string_view> parts, std::shared_ptr<void> held = nullptr);
  void cut();
  bool over() const;     // finished, cut or gone
  bool stalled() const;  // in on_gone(): the peer is there, as far as is known, but took no byte for write_stall_ms

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tokenrelay::http
