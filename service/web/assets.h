// The page at "/": its files as constant bytes inside the binary, so that deploying stays copying one file.
//
// embed.cmake writes the definition from the files of this folder. Constant data: any thread, any time, no ownership.
#pragma once

#include <span>
#include <string_view>

namespace tokenrelay::web {

struct Asset {
  std::string_view path;          // as requested: "/", "/app.js", "/style.css", …
  std::string_view content_type;  // with its charset
  std::string_view bytes;
  std::string_view etag;  // strong, with its quotes (RFC 9110 8.8.3); changes exactly when the bytes do
};

std::span<const Asset> assets();

// To be sent with every asset, with `X-Content-Type-Options: nosniff`. The page needs no inline script and no inline
// style, talks to its own origin only, and may not be framed.
inline constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace tokenrelay::web
