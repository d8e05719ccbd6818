// Connection: one socket between two take-overs. A state machine on callbacks: an idle connection costs only this
// object. A coroutine exists only until the handler that returned it has answered.
//
// Ownership: the server's state holds it until it is over. Threads: loop thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/problem.h"
#include "service/http/router.h"
#include "service/http/server.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::http {

class Connection;

struct Server::State {
  transport::Loop& loop;
  Router& router;
  std::function<const ServerOptions&()> options;
  std::shared_ptr<Ticket::Log> log;
  std::function<std::string()> draw_request_id;
  std::shared_ptr<ConnectionSlots> slots = std::make_shared<ConnectionSlots>();
  std::shared_ptr<size_t> body_bytes = std::make_shared<size_t>(0);  // of all requests together
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  bool draining = false;
  bool closed = false;                 // the Server is gone: late answers are dropped
  std::array<char, 16 << 10> scratch;  // every read goes here first, so waiting connections hold no buffer
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Server::State> server, std::shared_ptr<ConnectionSlot> slot, transport::Socket socket);

  void serve_first();                   // fresh from accept
  void serve_next(std::string unread);  // back from a take-over
  void finish();                        // serves nothing more
  void drain();                         // closes if idle
  void end();                           // closes now

 private:
  enum class Phase { reading, awaiting, writing, lingering, over };
  enum class Deadline { first_byte, idle, head, body, write, linger };

  struct Writing {
    std::string head;
    std::string body;
    std::shared_ptr<void> held;  // of the reply
    size_t sent = 0;
    bool interim = false;  // 100 Continue: reading goes on afterwards
    bool last = false;     // the connection ends afterwards
    int status = 0;
  };

  void set_deadline(Deadline deadline, int64_t ms);
  void on_deadline();
  void wait();
  void pump();
  bool read_some();
  void consume(std::string_view bytes);
  void on_body_due();
  bool body_fits();
  void on_eof();
  void linger();
  void drop_some();
  void fail(Code code, std::string detail);
  void count_refusal(std::string_view reason) const;
  void start_exchange();
  void handle();
  std::optional<Reply> refusal();
  void deliver(Answer answer);
  void await(asio::awaitable<Answer> answer);
  void reply(Reply reply);
  void take_over(const Takeover& takeover);
  void write_some();
  void on_written();

  std::shared_ptr<Server::State> server_;
  std::shared_ptr<ConnectionSlot> slot_;
  transport::Socket socket_;
  transport::Timer timer_;
  Phase phase_ = Phase::reading;
  Deadline deadline_ = Deadline::first_byte;
  bool waiting_ = false;
  bool try_read_ = false;   // bytes may be there without waiting
  size_t dropped_ = 0;      // while lingering
  int64_t started_us_ = 0;  // the current request's first byte
  std::unique_ptr<Framer> framer_;
  std::unique_ptr<BodyShare> share_;  // once a body has begun
  std::shared_ptr<Exchange> exchange_;
  std::unique_ptr<Writing> writing_;
  std::string unread_;
};

}  // namespace tokenrelay::http
