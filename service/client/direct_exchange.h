// DirectExchange: an exchange over a Connection of our own: HTTP/1.1, one read a token, straight from the shard's read
// buffer to the handler. libcurl makes the connection (Connector).
//
// A connection that was idle may have been closed by the server at that very moment: a request that fails on one before
// a byte has come back is asked once more, on a fresh one (RFC 9110 9.2.2). Bounds: no buffer of its own but for the
// request, until the response begins, and for what a pause held back of one read (16 KiB).
#pragma once

#include <optional>

#include "service/client/connection_pool.h"
#include "service/client/connector.h"
#include "service/client/curl_loop.h"
#include "service/client/exchange.h"
#include "service/client/response_reader.h"
#include "service/client/target.h"

namespace tokenrelay::client {

// What the exchanges of a client share.
struct Shared {
  std::shared_ptr<Poller> poller;
  std::shared_ptr<CurlLoop> curl;
  Resolver& resolver;
  TlsClient* tls;  // null: plain TCP
  ConnectionPool& pool;
};

class DirectExchange final : private PollListener, public Exchange {
 public:
  // No target: the URL leads nowhere.
  DirectExchange(transport::Loop& loop, Shared shared, std::optional<Target> target, const HttpRequest& request,
                 TransferHandler& handler);

  void start() override;

 private:
  enum class Phase { connecting, handshake, asking, reading };  // asking: the request is not all written

  void connect();
  void on_connected(Connector::Result result);
  void on_ready(int descriptor, uint32_t events) override;
  void shake_hands();
  void ask();
  void write();
  void read();
  bool reads_on(size_t count) const;
  void watch();
  void watch(uint32_t events);
  void take(std::string_view bytes);
  bool take_piece(std::string_view& bytes);
  void finished(bool nothing_left);
  void lost(Connection::Status how);
  void hang_up();
  void later(void (DirectExchange::*what)());
  void take_held();
  bool may_take() const { return !paused() && !held_; }  // what is held comes before what is read
  void fail_unaddressed();

  void close() override { hang_up(); }
  bool holds_back() const override { return held_.has_value(); }
  void go_on() override { later(&DirectExchange::take_held); }

  // What every read needs stands together: a thousand streams do not fit into a core's cache.
  std::unique_ptr<Connection> connection_;
  Phase phase_ = Phase::connecting;
  bool reused_ = false;  // the connection was idle before
  bool write_failed_ = false;
  bool reads_to_the_end_ = false;  // a short read is not the last: the peer's end, or urgent data, lies behind it
  bool unread_ = false;            // a turn ended before the kernel had no more, and the Poller will not say so again
  uint32_t watched_ = 0;           // the events that the Poller knows of
  ResponseReader reader_;
  std::optional<std::string> held_;  // what was read and not yet taken when the pause came
  std::string text_;                 // the request; empty once it can not be asked again
  size_t written_ = 0;               // of it
  std::unique_ptr<Connector> connector_;
  const Shared shared_;
  const int64_t connect_ms_;
  const std::optional<Target> target_;
};

}  // namespace tokenrelay::client
