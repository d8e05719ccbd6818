// CurlLoop: libcurl's multi handle driven by a loop. Its sockets sit in an epoll set of their own, which the loop
// watches as one descriptor: a busy turn costs one wait for all of them.
//
// libcurl forbids adding and removing handles inside its callbacks, so what comes from there is done when libcurl has
// returned, within the same turn of the loop.
#pragma once

#include <curl/curl.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tokenrelay::upstream {

class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  using Done = std::function<void(CURL*, CURLcode)>;  // a transfer has ended; it is not yet removed

  static std::shared_ptr<CurlLoop> make(asio::io_context& context, Done done);
  ~CurlLoop();

  // From anywhere, libcurl's callbacks included.
  void add(CURL* easy);
  // Also cleans it up, and closes its connection if a response is running. `owner` lives until libcurl has let go of
  // it.
  void remove(CURL* easy, std::shared_ptr<void> owner);
  void unpause(CURL* easy);
  void close();  // no more calls of `done`

 private:
  CurlLoop(asio::io_context& context, Done done);
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);

  template <class Call>
  void enter(Call&& call);  // runs it inside libcurl, then settles
  void settle();
  void watch();
  void arm();
  void on_due();
  void take_ready();

  CURLM* const multi_;
  const int epoll_;
  asio::posix::stream_descriptor ready_;
  asio::steady_timer timer_;
  Done done_;
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> due_;        // when libcurl wants to be called
  std::optional<Clock::time_point> armed_for_;  // when the loop will look
  std::vector<CURL*> to_add_, to_unpause_;
  std::vector<std::pair<CURL*, std::shared_ptr<void>>> to_remove_;
  bool closed_ = false;
  bool inside_ = false;  // libcurl is on the stack
  bool settling_ = false;
};

}  // namespace tokenrelay::upstream
