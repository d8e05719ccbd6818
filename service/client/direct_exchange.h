// DirectExchange: an exchange over a Connection: HTTP/1.1, one read for each token, straight from the shard's read
// buffer to the handler. A Connector makes the connection.
//
// The server may close an idle connection just as it is used again: a request that fails on one before a byte has
// arrived is sent once more, on a new connection (RFC 9110 9.2.2). Bounds: it buffers only the request, until the
// response begins, and what a pause held back of one read (16 KiB).
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
  // Without a target, because the URL is not valid, the exchange fails once it has started.
  DirectExchange(transport::Loop& loop, Shared shared, std::optional<Target> target, const HttpRequest& request,
                 TransferHandler& handler);

  void start() override;

 private:
  enum class Phase { connecting, handshake, asking, reading };  // asking: until the request is written

  void connect();
  void on_connected(Connector::Result result);
  void on_ready(int descriptor, uint32_t events) override;
  void shake_hands();
  void ask();
  void write();
  std::string_view unsent() const;
  void forget_request();
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
  bool may_take() const { return !paused() && !held_; }  // what is held must be taken before more is read
  void fail_unaddressed();

  void close() override { hang_up(); }
  bool holds_back() const override { return held_.has_value(); }
  void go_on() override { later(&DirectExchange::take_held); }

  // The members that every read needs are together: a thousand streams do not fit into a core's cache.
  std::unique_ptr<Connection> connection_;
  Phase phase_ = Phase::connecting;
  bool reused_ = false;  // the connection was idle before
  bool write_failed_ = false;
  bool reads_to_the_end_ = false;  // read on after a short read: the peer's end, or urgent data, follows
  bool unread_ = false;            // a turn ended before the kernel was read empty; the Poller will not report it again
  uint32_t watched_ = 0;           // the events that the Poller watches for
  ResponseReader reader_;
  std::optional<std::string> held_;          // what was read but not yet taken when the pause began
  std::string text_;                         // the request's head; empty once it cannot be sent again
  std::shared_ptr<const std::string> body_;  // null: none, or small and in text_
  size_t written_ = 0;                       // bytes of both
  std::unique_ptr<Connector> connector_;
  const Shared shared_;
  const int64_t connect_ms_;
  const std::optional<Target> target_;
};

}  // namespace tokenrelay::client
