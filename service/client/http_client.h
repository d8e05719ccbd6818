// HttpClient: streaming requests on a loop: HTTP/1.1 (RFC 9110, RFC 9112) over TCP and TLS. libcurl makes the
// connections (names, IPv6 beside IPv4); asking and reading are ours, as libcurl takes two system calls and about 2 us
// for each token. HTTP/2 is given up for it: an upstream that speaks nothing else is unreachable. Where the environment
// names a proxy (http_proxy, https_proxy, all_proxy; no_proxy), libcurl carries the whole exchange. All transfers of a
// shard share one client, and thereby its pool of idle connections.
//
// Threads: the loop's only. Errors: never exceptions; a transfer ends with one TransferEnd. Privacy: no URL, header or
// key in any message. TLS as tls_client.h says. No redirects, no cookies, no content coding.
//
// Bounds: a read is 16 KiB, into one buffer for all; 64 idle connections are kept, 60 s each; 64 KiB of response head;
// what is paused is not read. The client must go before its loop.
//
// Ownership: destroying a Transfer silences its handler and closes its connection at once; a handler may do so, or
// start and pause any transfer, inside every callback. The client may be destroyed before its transfers: they then stay
// silent. A connection goes back to the pool only when its response was read to the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/client/resolver.h"

namespace tokenrelay::transport {
class Loop;
}

namespace tokenrelay::client {

struct Timeouts {
  int64_t connect_ms = 10'000;      // the name's look-up included
  int64_t first_byte_ms = 300'000;  // from the request sent to the first byte of the body
  int64_t idle_ms = 120'000;        // between bytes afterwards; comments and pings count
  int64_t end_of_body_ms = 2'000;   // after an end mark that only the body's end completes
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"; ones with CR, LF or NUL are dropped
  std::string body;
  Timeouts timeouts;
  enum class Method { post, get } method = Method::post;
};

struct HttpHead {
  int status = 0;
  std::string content_type;               // lower case, without parameters
  std::optional<int64_t> retry_after_ms;  // retry-after-ms, or retry-after in either form
  std::optional<bool> should_retry;       // x-should-retry
};

struct TransferEnd {
  enum class Cause {
    clean,        // the body is complete (or the connection was closed where that ends it)
    unreachable,  // no connection
    connect_timeout,
    first_byte_timeout,
    idle_timeout,
    cut,       // reset or closed in the middle
    not_http,  // what came is no HTTP response
  };
  Cause cause = Cause::clean;
  std::string message;  // in a few words, for the log
};

class TransferHandler {
 public:
  virtual void on_head(const HttpHead& head) = 0;    // once, before any body; not for 1xx
  virtual void on_body(std::string_view bytes) = 0;  // never empty
  virtual void on_end(const TransferEnd& end) = 0;   // last, exactly once
 protected:
  ~TransferHandler() = default;
};

class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void pause() = 0;  // at most one more read was already under way; timeouts stop
  virtual void resume() = 0;

  // The owner has what it wanted: silences the handler, and lets the body's last bytes arrive for 50 ms so that the
  // connection can be used again; then closes it.
  virtual void finish() = 0;
};

class HttpClient {
 public:
  explicit HttpClient(transport::Loop& loop, Resolver::System system = Resolver::ask_the_system);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  // Never calls the handler before it returns.
  std::unique_ptr<Transfer> send(HttpRequest request, TransferHandler& handler);
  // Sends it and forgets it: nobody waits for the answer.
  void send_off(HttpRequest request);

  transport::Loop& loop();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

std::shared_ptr<HttpClient> make_http_client(transport::Loop& loop);

}  // namespace tokenrelay::client
