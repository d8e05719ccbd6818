// HttpClient: streaming requests on a loop: HTTP/1.1 (RFC 9110, RFC 9112) over TCP and TLS. libcurl makes the
// connections (IPv6 and IPv4 in parallel); requests are written and responses read here, because libcurl takes two
// system calls and about 2 us for each token. This rules out HTTP/2: an upstream that speaks only that is unreachable.
// Where the environment names a proxy (http_proxy, https_proxy, all_proxy; no_proxy), libcurl does the whole exchange.
// All transfers of a shard share one client, and so its pool of idle connections.
//
// Threads: the loop's only. Errors: never exceptions; a transfer ends with one TransferEnd. Privacy: messages contain
// no URL, header or key. TLS as tls.h says. No redirects, no cookies. It asks for no content coding; gzip and deflate
// are undone all the same (some servers ask nobody), and a body that begins as gzip does, without a header, too.
//
// Bounds: a read is 16 KiB, into one buffer for all; 64 idle connections are kept, 60 s each; 64 KiB of response head;
// a paused transfer is not read; a body is unpacked 16 KiB at a time, and 128 KiB in one turn of the loop. The client
// must be destroyed before its loop.
//
// Ownership: when a Transfer is destroyed, its handler is not called again and its connection is closed at once; a
// handler may do so, or start and pause any transfer, inside every callback. The client may be destroyed before its
// transfers: their handlers are then not called again. A connection goes back to the pool only when its response was
// read to the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/client/resolver.h"
#include "service/client/tls.h"

namespace tokenrelay::transport {
class Loop;
}

namespace tokenrelay::client {

struct Timeouts {
  int64_t connect_ms = 10'000;      // includes looking up the name
  int64_t first_byte_ms = 300'000;  // from the request sent to the first byte of the body
  int64_t idle_ms = 120'000;        // between bytes afterwards; comments and pings count as bytes
  int64_t end_of_body_ms = 5'000;   // from an answer that looks complete to the end of its body
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;         // "Name: value"; lines with CR, LF or NUL are dropped
  std::shared_ptr<const std::string> body;  // null: none. Shared: it may be large, and be sent again
  Timeouts timeouts;
  enum class Method { post, get } method = Method::post;
};

struct HttpHead {
  int status = 0;
  std::string content_type;               // lower case, without parameters
  std::string content_encoding;           // lower case; "" without one
  std::optional<int64_t> retry_after_ms;  // retry-after-ms, or retry-after in either form
  std::optional<bool> should_retry;       // x-should-retry
  // All of them as they came, names in lower case; trailers are not among them. Bounded by that of the head.
  std::vector<std::pair<std::string, std::string>> fields;
};

struct TransferEnd {
  enum class Cause {
    clean,        // the body is complete
    unreachable,  // the connection could not be made
    connect_timeout,
    first_byte_timeout,
    idle_timeout,
    cut,          // reset or closed in the middle
    not_http,     // the server did not send an HTTP response
    undecodable,  // the body's content coding is unknown, or its bytes are not what the coding says
  };
  Cause cause = Cause::clean;
  std::string message;  // the details, in a few words
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
  virtual void pause() = 0;  // stops reading and the timeouts; one read may already be under way
  virtual void resume() = 0;

  // The owner needs nothing more: the handler is not called again. The body has 50 ms to end, so that the connection
  // can be used again; then it is closed.
  virtual void finish() = 0;
};

class HttpClient {
 public:
  explicit HttpClient(transport::Loop& loop, Resolver::System system = Resolver::ask_the_system);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  // Never calls the handler before it returns.
  std::unique_ptr<Transfer> send(HttpRequest request, TransferHandler& handler);
  // Sends a request whose response does not matter.
  void send_off(HttpRequest request);

  // Loading the trusted authorities takes 50 ms: at start, or on another thread, before the first https:// request, or
  // that one does it. The first call counts.
  bool trusts_authorities() const;
  void trust(std::unique_ptr<TlsClient> authorities);

  transport::Loop& loop();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

std::shared_ptr<HttpClient> make_http_client(transport::Loop& loop);

}  // namespace tokenrelay::client
