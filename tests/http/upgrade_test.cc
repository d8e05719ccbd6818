#include <algorithm>

#include "service/http/websocket.h"
#include "tests/support/catch.h"

using namespace tokenrelay::http;

namespace {

Request handshake() {
  Request request;
  request.method = "GET";
  request.headers = {{"host", "localhost:8080"},
                     {"upgrade", "websocket"},
                     {"connection", "keep-alive, Upgrade"},
                     {"sec-websocket-version", "13"},
                     {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  return request;
}

Request with(const std::string& name, const std::string& value) {
  Request request = handshake();
  for (auto& header : request.headers) {
    if (header.first == name) return header.second = value, request;
  }
  request.headers.emplace_back(name, value);
  return request;
}

Request without(const std::string& name) {
  Request request = handshake();
  std::erase_if(request.headers, [&](const auto& header) { return header.first == name; });
  return request;
}

// 101, or the status of the refusal.
int outcome(const Request& request) {
  const auto answer = check_upgrade(request, "tokenrelay.v1");
  return answer ? 101 : problem(answer.error().code, "", "").status;
}

std::string answered(const Request& request, std::string_view name) {
  const auto answer = check_upgrade(request, "tokenrelay.v1");
  REQUIRE(answer);
  for (const auto& [key, value] : *answer) {
    if (key == name) return value;
  }
  return "(none)";
}

}  // namespace

TEST_CASE("the handshake of RFC 6455 1.3", "[upgrade]") {
  CHECK(answered(handshake(), "Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(answered(handshake(), "Upgrade") == "websocket");
  CHECK(answered(handshake(), "Connection") == "Upgrade");
  CHECK(answered(handshake(), "Sec-WebSocket-Protocol") == "(none)");
  CHECK(answered(with("sec-websocket-extensions", "permessage-deflate"), "Sec-WebSocket-Extensions") == "(none)");
}

TEST_CASE("what a handshake needs", "[upgrade]") {
  CHECK(outcome(without("upgrade")) == 426);
  CHECK(outcome(with("upgrade", "h2c")) == 426);
  CHECK(outcome(with("upgrade", "h2c, WebSocket")) == 101);
  CHECK(outcome(without("connection")) == 400);
  CHECK(outcome(with("connection", "keep-alive")) == 400);
  CHECK(outcome(with("connection", "UPGRADE")) == 101);
  CHECK(outcome(without("sec-websocket-version")) == 426);
  for (const char* version : {"8", "12", "14", "013", "13, 8", "", "x"}) {
    CAPTURE(version);
    CHECK(outcome(with("sec-websocket-version", version)) == 426);
  }
  Request old = handshake();
  old.http10 = true;
  CHECK(outcome(old) == 426);
  Request head = handshake();
  head.method = "HEAD";
  CHECK(outcome(head) == 400);
}

TEST_CASE("the key: once, 16 bytes in base64", "[upgrade]") {
  CHECK(outcome(without("sec-websocket-key")) == 400);
  for (const char* key :
       {"", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWE="}) {
    CAPTURE(key);
    CHECK(outcome(with("sec-websocket-key", key)) == 400);
  }
  Request twice = handshake();
  twice.headers.emplace_back("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(outcome(twice) == 400);
}

TEST_CASE("the subprotocol is answered if it was offered, and no other", "[upgrade]") {
  CHECK(answered(with("sec-websocket-protocol", "tokenrelay.v1"), "Sec-WebSocket-Protocol") == "tokenrelay.v1");
  CHECK(answered(with("sec-websocket-protocol", "a, tokenrelay.v1 ,b"), "Sec-WebSocket-Protocol") == "tokenrelay.v1");
  CHECK(answered(with("sec-websocket-protocol", "tokenrelay.v2, xtokenrelay.v1"), "Sec-WebSocket-Protocol") ==
        "(none)");
  CHECK(answered(with("sec-websocket-protocol", "Tokenrelay.v1"), "Sec-WebSocket-Protocol") == "(none)");
  Request lines = with("sec-websocket-protocol", "other");
  lines.headers.emplace_back("sec-websocket-protocol", "tokenrelay.v1");
  CHECK(answered(lines, "Sec-WebSocket-Protocol") == "tokenrelay.v1");
}
