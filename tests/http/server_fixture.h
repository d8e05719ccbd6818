// A server on a loop of its own thread, behind real sockets, with a few routes and a record of what it logged.
#pragma once

#include <atomic>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/http/server.h"
#include "service/http/streaming_body.h"
#include "tests/support/http_connection.h"

namespace tokenrelay::http {

// A stream that is written to from the test. It lives on the loop's thread.
struct TestStream final : StreamingBody::Owner {
  std::unique_ptr<StreamingBody> body;
  std::atomic<int> rooms{0};
  std::atomic<bool> gone{false};
  void on_room() override { ++rooms; }
  void on_gone() override { gone = true; }
};

class TestServer {
 public:
  ServerOptions options;  // before start(), or inside call()
  StreamingBody::Options stream_options;
  bool keep_records = true;
  std::atomic<bool> hold{false};  // /later waits while it is set
  std::atomic<int> held{0};
  Router router;

  TestServer() { add_routes(); }
  ~TestServer();

  void start(bool loopback = true, size_t max_connections = 5'000);
  uint16_t port() const { return port_; }
  void call(const std::function<void()>& on_loop);  // and waits until it is done
  template <class T>
  T ask(const std::function<T()>& on_loop) {
    T out{};
    call([&] { out = on_loop(); });
    return out;
  }
  size_t connections() {
    return ask<size_t>([&] { return server_->connections(); });
  }
  void drain() {
    call([&] { server_->drain(); });
  }
  int ended() const { return ended_; }
  std::vector<RequestRecord> records();
  TestStream& stream(size_t n);  // the n-th taken one; waits for it
  size_t streams();
  transport::Loop& loop() { return *loop_; }

 private:
  void add_routes();
  std::unique_ptr<transport::Loop> loop_ = std::make_unique<transport::Loop>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<transport::Listener> listener_;
  std::thread thread_;
  uint16_t port_ = 0;
  std::atomic<int> ended_{0};
  std::mutex mutex_;
  std::vector<RequestRecord> records_;
  std::list<TestStream> streams_;
  std::atomic<size_t> taken_{0};
};

}  // namespace tokenrelay::http
