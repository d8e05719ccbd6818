// Socket: one accepted TCP connection, non-blocking; the only place that reads, writes, cuts or closes it.
//
// It never buffers: read() and write() do what the kernel does now, and the waits say when to try again. At
// most one wait for reading and one for writing are pending. TLS (secure(), OpenSSL on the descriptor) is invisible to
// callers: a clean end is then a close_notify and a FIN, a cut is still a bare reset, a peer's close_notify an eof.
// Threads: loop thread. Ownership: move-only; destroying it closes. A pending wait's callback is dropped, not called,
// when the socket is destroyed, cut or closed, or by cancel_waits().
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace tokenrelay::transport {

class Loop;
class TlsSession;

enum class IoStatus { done, would_block, eof, failed };

struct IoResult {
  IoStatus status;
  size_t bytes = 0;
  bool timed_out = false;  // failed: the peer acknowledged nothing in time (give_up_after())
};

class Socket {
 public:
  Socket() = default;
  Socket(Loop& loop, int descriptor);  // takes the descriptor over; sets O_NONBLOCK, TCP_NODELAY
  ~Socket();
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;

  void secure(std::unique_ptr<TlsSession> session);  // before anything is read or written

  bool secured() const;  // speaks TLS

  bool is_open() const;
  int descriptor() const;
  Loop& loop() const;

  IoResult read(char* into, size_t room);
  // One writev. It may take fewer bytes than offered; the rest must be offered first next time.
  IoResult write(std::span<const iovec> parts);
  void wait_readable(std::function<void()> ready);
  void wait_writable(std::function<void()> ready);
  void cancel_waits();

  // Small kernel buffers for a long-lived response: SO_SNDBUF 64 KiB, TCP_NOTSENT_LOWAT 16 KiB.
  void prepare_for_stream();
  void cut();    // SO_LINGER 0 and close: the peer sees a reset, never an end
  void close();  // FIN after what was written
  // From now on any close is a reset, even if this process dies.
  void cut_if_dropped(bool on);
  // FIN now, but keep reading: for a lingering close, so that a reset does not destroy an answer.
  void end_writing();
  // The kernel drops a peer that acknowledges nothing for this long (TCP_USER_TIMEOUT).
  void give_up_after(int64_t ms);

  size_t unacknowledged_bytes() const;  // written, but not yet acknowledged by the peer's kernel

  std::string peer_address() const;  // "127.0.0.1", "::1"
  uint16_t peer_port() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared only with a pending wait
};

}  // namespace tokenrelay::transport
