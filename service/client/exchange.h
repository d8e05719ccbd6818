// Exchange: one request and its response under way. It implements what http_client.h promises about abandoned
// transfers, pausing, time limits and content codings; a derived class sends and receives the bytes.
//
// Threads: the loop's. Ownership: shared between the client, which keeps it until its end, and the handle.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "service/client/body_decoder.h"
#include "service/client/http_client.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::client {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  virtual ~Exchange() = default;

  virtual void start() = 0;  // does not call the handler before it returns
  void when_over(std::function<void(Exchange&)> then) { on_over_ = std::move(then); }
  void abandon();  // the handler is not called again, and the connection is closed
  void drain();    // the handler is not called again, and the connection is closed unless the body ends soon
  void pause();
  void resume();

 protected:
  Exchange(transport::Loop& loop, Timeouts timeouts, TransferHandler& handler);

  // ---- what a derived class implements
  virtual void close() = 0;             // gives up the connection
  virtual bool holds_back() const = 0;  // bytes wait for the end of a pause
  virtual void go_on() = 0;             // a pause has ended: reads again, later

  // ---- what a derived class reports
  void connecting();  // starts the time limit of the connection, which a pause does not stop
  void asked();       // the request is being sent
  // The handler may end the exchange in both of these: check over() afterwards.
  void say_head(const HttpHead& head);
  void say_body(std::string_view bytes);  // not empty
  void end(TransferEnd::Cause cause, std::string message);

  bool over() const { return over_; }
  bool paused() const { return paused_ || behind_; }  // do not read on: go_on() follows
  bool draining() const { return draining_; }
  bool was_asked() const { return asked_; }

  transport::Loop& loop_;

 private:
  void expect(TransferEnd::Cause cause, int64_t within_ms);
  void expired();
  void leave();
  void say_coded(std::string_view bytes);
  bool open_decoder(char first);
  void unpack(std::string_view bytes);
  void unpack_later();

  TransferHandler* handler_;  // null: not to be called any more
  int64_t heard_ms_ = 0;      // when the last byte arrived: cheaper than arming the timer anew for each
  TransferEnd::Cause late_ = TransferEnd::Cause::clean;  // the cause if the timer fires
  bool asked_ = false, head_said_ = false, draining_ = false, paused_ = false, over_ = false;
  bool plain_ = false;   // the body has no content coding
  bool behind_ = false;  // a part of the body is not unpacked yet
  transport::Timer timer_;
  const Timeouts timeouts_;
  std::function<void(Exchange&)> on_over_;
  std::string coding_;  // Content-Encoding
  std::unique_ptr<BodyDecoder> decoder_;
  std::string packed_;              // what is behind: at most one read
  size_t unpacked_ = 0;             // since the loop had its turn
  std::optional<TransferEnd> end_;  // it has ended, but is behind
};

}  // namespace tokenrelay::client
