// The name that a request is addressed to, and the origin of the page that sent it (RFC 9110 7.2, RFC 6454 4): read
// once, then compared part by part. Both come from the client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::http {

struct Authority {
  std::string host;              // lower case, without brackets or final dot; IPv6 in its shortest form
  std::optional<uint16_t> port;  // if one is written
};

// uri-host [ ":" port ]; nullopt for anything else, the empty text included.
std::optional<Authority> parse_authority(std::string_view text);

bool is_loopback_name(std::string_view host);  // of an Authority: localhost, 127.0.0.0/8, ::1

struct Origin {
  std::string scheme, host;
  uint16_t port = 0;  // never 0: the scheme's, if none is written
  bool operator==(const Origin&) const = default;
};

// Of http or https, nothing after the port; nullopt for others, such as "null" or an extension's.
std::optional<Origin> parse_origin(std::string_view text);

std::optional<Origin> make_origin(std::string_view scheme, const Authority& authority);

}  // namespace tokenrelay::http
