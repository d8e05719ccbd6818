// Request: one strictly framed HTTP/1.x request (RFC 9112), as handlers see it. Everything in it comes from the client
// and may be hostile.
//
// Header values come from our own framing, byte for byte, never through cpp-httplib (which percent-decodes them).
// Lifetime: owned by the connection; valid until the handler has answered (its coroutine has returned).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokenrelay::http {

// Who asks. Anonymous until authentication exists; streams carry their owner and are checked in one place.
struct Principal {
  std::string owner;
};

struct Request {
  std::string method;  // as sent
  std::string path;    // without query, percent-encoded as sent
  // The route's groups, percent-decoded (%2F stays inside one).
  std::vector<std::string> captures;
  // Decoded, in order.
  std::vector<std::pair<std::string, std::string>> query;
  // Names in lower case, values trimmed (RFC 9110 5.5).
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;            // decoded from chunks, never decompressed
  std::string request_id;      // the client's if valid, else drawn
  std::string client_address;  // the peer, or what a trusted proxy says
  std::string route;           // the matched pattern's name, for metrics: "/v1/streams/{id}"
  Principal principal;
  bool http10 = false;
  bool keep_alive = true;   // what the client wants for the connection
  bool has_length = false;  // it has Content-Length or is chunked; without, POST and PUT are 411

  std::optional<std::string_view> header(std::string_view lower_name) const;  // the first one
  std::optional<std::string_view> query_value(std::string_view name) const;   // the first one
  // Accept names this type (or type/*) with q > 0; */* does not count.
  bool accepts(std::string_view media_type) const;
};

}  // namespace tokenrelay::http
