// The opening handshake of RFC 6455 (4.2). Which origins may begin one is in access.h.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>

#include "service/http/grammar.h"
#include "service/http/websocket.h"

namespace tokenrelay::http {
namespace {

// Is `token` an element of any of the request's lists of this name?
bool lists(const Request& request, std::string_view name, std::string_view token, bool any_case) {
  for (const auto& [key, value] : request.headers) {
    if (key != name) continue;
    std::string_view rest = value;
    while (true) {
      const auto comma = rest.find(',');
      const auto element = trim(rest.substr(0, comma));
      if (element == token || (any_case && lower(element) == token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

// 16 bytes in base64 are 24 characters, the last two of them padding.
bool valid_key(std::string_view key) {
  if (key.size() != 24 || key.substr(22) != "==") return false;
  return std::all_of(key.begin(), key.begin() + 22,
                     [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '/'; });
}

std::string accept_value(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH], encoded[32];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  const int size = EVP_EncodeBlock(encoded, digest, sizeof digest);
  return std::string(reinterpret_cast<const char*>(encoded), static_cast<size_t>(size));
}

tl::unexpected<UpgradeError> refuse(Code code, std::string detail) {
  return tl::make_unexpected(UpgradeError{code, std::move(detail)});
}

}  // namespace

tl::expected<HeaderList, UpgradeError> check_upgrade(const Request& request, std::string_view subprotocol) {
  if (request.method != "GET") return refuse(Code::invalid_request, "a WebSocket must be opened with GET");
  if (request.http10 || !lists(request, "upgrade", "websocket", true)) {
    return refuse(Code::upgrade_required, "this path is a WebSocket: send the header Upgrade: websocket");
  }
  if (!lists(request, "connection", "upgrade", true))
    return refuse(Code::invalid_request, "the Connection header must contain Upgrade");
  if (request.header("sec-websocket-version") != "13")
    return refuse(Code::upgrade_required, "Sec-WebSocket-Version must be 13");
  const auto keys = std::count_if(request.headers.begin(), request.headers.end(),
                                  [](const auto& header) { return header.first == "sec-websocket-key"; });
  const auto key = request.header("sec-websocket-key").value_or("");
  if (keys != 1 || !valid_key(key))
    return refuse(Code::invalid_request, "Sec-WebSocket-Key must be 16 bytes in base64");
  HeaderList headers = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept_value(key)}};
  if (lists(request, "sec-websocket-protocol", subprotocol, false)) {
    headers.emplace_back("Sec-WebSocket-Protocol", std::string(subprotocol));
  }
  return headers;
}

}  // namespace tokenrelay::http
