// Client: many HTTP connections to loopback ports from one epoll thread, each with a sink for what comes back. A sink
// may send() the next request, but not close().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "tests/bench/response.h"
#include "tests/support/channel.h"

namespace tokenrelay::bench {

// A port of this machine.
struct Endpoint {
  uint16_t port = 0;
  bool tls = false;
};

class Client {
 public:
  using Connection = int;  // its descriptor

  Client();
  ~Client();
  Client(const Client&) = delete;

  // Connects and sends. The sink must live until close() or the client's end. Throws if descriptors or ports run out.
  Connection open(Endpoint to, std::string request, ResponseSink& sink);
  void send(Connection connection, const std::string& request);  // the next request, once the last response is complete
  void close(Connection connection);
  void close_all();

  size_t connections() const { return links_.size(); }
  size_t lost() const { return lost_; }  // ended by the peer in the middle of a response, or by an error

  // Serves them until `done` holds (asked after each round); false: the time was over first.
  bool run(const std::function<bool()>& done, double seconds);
  void run_for(double seconds) {
    run([] { return false; }, seconds);
  }

 private:
  struct Link {
    ResponseSink* sink;
    std::string unsent;
    support::Channel channel;
    Response response = {};
  };
  void watch(int fd, uint32_t events, int operation);
  void flush(int fd, Link& link);
  void serve(int fd, uint32_t events);

  int epoll_;
  support::TlsContext tls_;  // once it is needed
  size_t lost_ = 0;
  std::unordered_map<int, Link> links_;
  std::string buffer_;
};

}  // namespace tokenrelay::bench
