// CurlLoop: libcurl's multi handle, driven by a loop. The shard's Poller watches its sockets.
//
// libcurl must not look up names here: if a handle is removed during a look-up, it joins its resolver's thread, and so
// blocks the loop. The owner of a handle gives it addresses (resolve_option).
//
// libcurl forbids adding and removing handles inside its callbacks, so what is asked for there is done when libcurl has
// returned, within the same turn of the loop.
#pragma once

#include <curl/curl.h>

#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "service/client/poller.h"
#include "service/client/resolver.h"

namespace tokenrelay::client {

using CurlList = std::shared_ptr<curl_slist>;

// For CURLOPT_RESOLVE: the addresses of HOST:PORT, then `more`. The list must live as long as the handle is in the
// loop.
CurlList resolve_option(const std::string& host, uint16_t port, const Addresses& addresses, const CurlList& more = {});

// The owner of an easy handle.
class CurlOwner {
 public:
  virtual void completed(CURLcode result) = 0;  // the handle's transfer has ended; it must still be removed

 protected:
  ~CurlOwner() = default;
};

class CurlLoop final : public std::enable_shared_from_this<CurlLoop>, private PollListener {
 public:
  static std::shared_ptr<CurlLoop> make(asio::io_context& context, std::shared_ptr<Poller> poller);
  ~CurlLoop();

  // These three may be called inside libcurl's callbacks. `owner` is told of the end unless the handle is removed
  // before.
  void add(CURL* easy, CurlOwner& owner);
  // Also cleans up the handle, and closes its connection if the response is not complete. `keeps` lives until libcurl
  // no longer uses the handle.
  void remove(CURL* easy, std::shared_ptr<void> keeps);
  void unpause(CURL* easy);
  void forget(int descriptor) { poller_->forget(descriptor); }  // for a descriptor that someone else takes over

 private:
  CurlLoop(asio::io_context& context, std::shared_ptr<Poller> poller);
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void on_ready(int descriptor, uint32_t events) override;

  template <class Call>
  void enter(Call&& call);  // runs it inside libcurl, then settles
  void settle();
  bool take_completed();
  void arm();
  void on_due();

  CURLM* const multi_;
  const std::shared_ptr<Poller> poller_;
  asio::steady_timer timer_;
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> due_;        // when libcurl wants to be called
  std::optional<Clock::time_point> armed_for_;  // when the loop will look
  std::vector<CURL*> to_add_, to_unpause_;
  std::vector<std::pair<CURL*, std::shared_ptr<void>>> to_remove_;
  bool inside_ = false;  // libcurl is on the stack
  bool settling_ = false;
};

}  // namespace tokenrelay::client
