// TlsSession: TLS on one accepted descriptor, server side. Part of a Socket, which owns the descriptor and the waits.
//
// The promises of Socket::read and write hold: a read that does not fill its buffer has emptied the descriptor, and a
// write takes what the kernel takes now. After would_block a write must be tried again with the same bytes first (their
// record exists already); more may follow. The handshake runs inside read(), and its first bytes create the session, so
// a silent client costs no more than without TLS. Parts are gathered into records of 16 KiB: an event with its framing
// is one record and one write to the kernel. An idle session holds no buffers.
//
// Threads: loop thread. Errors: a broken session reads and writes `failed` from then on.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <optional>
#include <span>

#include "service/transport/socket.h"
#include "service/transport/tls_server.h"

namespace tokenrelay::transport {

class TlsSession {
 public:
  explicit TlsSession(std::shared_ptr<TlsShared> shared) : shared_(std::move(shared)) {}
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;

  IoResult read(int descriptor, char* into, size_t room);
  IoResult write(std::span<const iovec> parts);

  // Sends close_notify if the session is established. If not, drops unread bytes, so that closing sends a FIN.
  void say_goodbye(int descriptor);

  bool has_unread() const;  // read() has bytes that a wait on the descriptor would not report
  bool read_wants_room() const { return read_wants_room_; }      // read() waits for writing
  bool write_wants_bytes() const { return write_wants_bytes_; }  // and write() for reading

 private:
  bool begin(int descriptor);
  void leave_handshake();
  IoStatus status_of(int result, bool& wants_other, bool reading);

  std::shared_ptr<TlsShared> shared_;
  SSL* ssl_ = nullptr;
  std::optional<IoStatus> ended_;  // eof, failed
  bool in_handshake_ = false;
  bool read_wants_room_ = false, write_wants_bytes_ = false;
};

}  // namespace tokenrelay::transport
