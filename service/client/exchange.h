// Exchange: one request and its response under way, whoever carries it: what http_client.h promises of silence, pausing
// and limits of time. A kind of exchange adds how bytes go and come.
//
// Threads: the loop's. Ownership: shared between the client, which keeps it until its end, and the handle.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "service/client/http_client.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::client {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  virtual ~Exchange() = default;

  virtual void start() = 0;  // calls no handler before it returns
  void when_over(std::function<void(Exchange&)> then) { on_over_ = std::move(then); }
  void abandon();  // silent, and the connection is closed
  void drain();    // silent, and the connection is closed unless the body ends soon
  void pause();
  void resume();

 protected:
  Exchange(transport::Loop& loop, Timeouts timeouts, TransferHandler& handler);

  // ---- what a kind of exchange does
  virtual void close() = 0;             // lets go of the connection
  virtual bool holds_back() const = 0;  // bytes wait for the end of a pause
  virtual void go_on() = 0;             // a pause has ended: reads again, later

  // ---- what it says
  void connecting();  // the connection's limit begins, which no pause stops
  void asked();       // the request is under way
  // Both may end the exchange by what the handler does: look at over().
  void say_head(const HttpHead& head);
  void say_body(std::string_view bytes);  // not empty
  void end(TransferEnd::Cause cause, std::string message);

  bool over() const { return over_; }
  bool paused() const { return paused_; }
  bool draining() const { return draining_; }
  bool was_asked() const { return asked_; }

  transport::Loop& loop_;

 private:
  void expect(TransferEnd::Cause cause, int64_t within_ms);
  void expired();
  void leave();

  TransferHandler* handler_;  // null: silent
  int64_t heard_ms_ = 0;      // the last byte; each puts the timer's end off, but only this is written down
  TransferEnd::Cause late_ = TransferEnd::Cause::clean;  // what the timer's end means
  bool asked_ = false, head_said_ = false, draining_ = false, paused_ = false, over_ = false;
  transport::Timer timer_;
  const Timeouts timeouts_;
  std::function<void(Exchange&)> on_over_;
};

}  // namespace tokenrelay::client
