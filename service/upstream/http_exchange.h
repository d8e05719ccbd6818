// HttpExchange: one request and its response on a CurlLoop: options, callbacks, timeouts (http_client.h has the
// promises).
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>

#include "service/transport/timer_wheel.h"
#include "service/upstream/curl_loop.h"
#include "service/upstream/http_client.h"

namespace tokenrelay::upstream {

class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
 public:
  HttpExchange(transport::Loop& loop, std::shared_ptr<CurlLoop> curl, HttpRequest request, TransferHandler& handler);
  ~HttpExchange();

  CURL* easy() const { return easy_; }
  void start();
  void completed(CURLcode result);
  void abandon();  // silent, and the connection is closed
  void drain();    // silent, and the connection is closed unless the body ends soon
  void pause();
  void resume();

  std::function<void(CURL*)> on_removed;

 private:
  static size_t on_header(char* bytes, size_t size, size_t count, void* self);
  static size_t on_write(char* bytes, size_t size, size_t count, void* self);
  static int on_request(void* self, char*, char*, int, int);

  void set_options();
  void set_headers();
  void expect(TransferEnd::Cause cause, int64_t within_ms);
  void expired();
  void end(TransferEnd::Cause cause, std::string message);
  void remove();

  transport::Loop& loop_;
  const std::shared_ptr<CurlLoop> curl_;
  const HttpRequest request_;
  TransferHandler* handler_;  // null: silent
  CURL* easy_;                // null: removed
  curl_slist* headers_ = nullptr;
  HttpHead head_;
  transport::Timer timer_;
  TransferEnd::Cause late_ = TransferEnd::Cause::clean;  // what the timer's end means
  bool request_sent_ = false;
  bool head_done_ = false;
  bool draining_ = false;
  bool paused_ = false;
  bool curl_paused_ = false;  // libcurl holds a piece back and reads no more
};

}  // namespace tokenrelay::upstream
