#include "service/http/websocket_reader.h"

#include <algorithm>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::http;
using tokenrelay::support::ws_frame;
using Item = WebSocketReader::Item;
using Kind = Item::Kind;

namespace {

struct Heard {
  Kind kind;
  std::string payload;
  int code;
};

// Feeds `bytes` in pieces of `piece` bytes, and takes every item that they make.
std::vector<Heard> hear(const std::string& bytes, size_t piece, size_t limit = 64 << 10) {
  size_t at = 0, upto = 0;
  WebSocketReader reader(limit, [&](uint8_t* into, size_t room) {
    const size_t size = std::min(room, upto - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, into);
    at += size;
    return size;
  });
  std::vector<Heard> heard;
  do {
    upto = std::min(bytes.size(), upto + piece);
    for (Item item = reader.next(); item.kind != Kind::nothing; item = reader.next())
      heard.push_back({item.kind, std::string(item.payload), item.code});
  } while (upto < bytes.size());
  return heard;
}

std::vector<size_t> pieces() {
  return {1, 2, 3, 7, 4096, 1 << 20};
}

// The one text that these bytes are, however they arrive.
std::string text_of(const std::string& bytes) {
  std::string text;
  for (const size_t piece : pieces()) {
    const auto heard = hear(bytes, piece);
    REQUIRE(heard.size() == 1);
    REQUIRE(heard[0].kind == Kind::text);
    text = heard[0].payload;
  }
  return text;
}

// The code that these bytes are refused with, however they arrive.
int refusal_of(const std::string& bytes) {
  int code = 0;
  for (const size_t piece : pieces()) {
    const auto heard = hear(bytes + ws_frame(1, "after"), piece);
    REQUIRE(heard.size() == 1);  // nothing is heard after it
    REQUIRE(heard[0].kind == Kind::violation);
    REQUIRE((code == 0 || code == heard[0].code));
    code = heard[0].code;
  }
  return code;
}

std::string close_frame(int code, const std::string& reason = "") {
  return ws_frame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + reason);
}

}  // namespace

TEST_CASE("every form of the length", "[websocket_reader]") {
  for (const size_t size : {0u, 1u, 125u, 126u, 127u, 255u, 256u, 4095u, 4096u, 4097u, 65535u, 65536u}) {
    CHECK(text_of(ws_frame(1, std::string(size, 'x'))) == std::string(size, 'x'));
  }
  CHECK(refusal_of(ws_frame(1, std::string(65537, 'x'))) == 1009);
}

TEST_CASE("a length must take the shortest form and have no top bit", "[websocket_reader]") {
  CHECK(refusal_of(ws_frame(1, "x", true, true, 2)) == 1002);
  CHECK(refusal_of(ws_frame(1, std::string(125, 'x'), true, true, 2)) == 1002);
  CHECK(refusal_of(ws_frame(1, "x", true, true, 8)) == 1002);
  CHECK(refusal_of(ws_frame(1, std::string(65535, 'x'), true, true, 8)) == 1002);
  CHECK(refusal_of(std::string("\x81\xff\x80\0\0\0\0\0\0\x01mask", 14)) == 1002);
  CHECK(refusal_of(std::string("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", 14)) == 1009);
}

TEST_CASE("masks, reserved bits, reserved opcodes", "[websocket_reader]") {
  CHECK(refusal_of(ws_frame(1, "x", true, false)) == 1002);
  CHECK(refusal_of(ws_frame(9, "", true, false)) == 1002);
  for (const int rsv : {1, 2, 4, 7}) {
    CHECK(refusal_of(ws_frame(1, "x", true, true, -1, rsv)) == 1002);
    CHECK(refusal_of(ws_frame(9, "x", true, true, -1, rsv)) == 1002);
  }
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) CHECK(refusal_of(ws_frame(opcode, "x")) == 1002);
  CHECK(refusal_of(ws_frame(2, "x")) == 1003);
  CHECK(refusal_of(ws_frame(2, "x", false)) == 1003);
}

TEST_CASE("fragments, with control frames between them", "[websocket_reader]") {
  const std::string bytes = ws_frame(1, "one ", false) + ws_frame(9, "ping") + ws_frame(0, "", false) +
                            ws_frame(10, "pong") + ws_frame(0, "two", true) + ws_frame(1, "next");
  for (const size_t piece : pieces()) {
    const auto heard = hear(bytes, piece);
    REQUIRE(heard.size() == 4);
    CHECK((heard[0].kind == Kind::ping && heard[0].payload == "ping"));
    CHECK((heard[1].kind == Kind::pong && heard[1].payload == "pong"));
    CHECK((heard[2].kind == Kind::text && heard[2].payload == "one two"));
    CHECK((heard[3].kind == Kind::text && heard[3].payload == "next"));
  }
  CHECK(refusal_of(ws_frame(0, "x")) == 1002);
  CHECK(refusal_of(ws_frame(1, "x", false) + ws_frame(1, "y")) == 1002);
  CHECK(refusal_of(ws_frame(9, "x", false)) == 1002);
  CHECK(refusal_of(ws_frame(8, "", false)) == 1002);
  CHECK(refusal_of(ws_frame(9, std::string(126, 'x'))) == 1002);
}

TEST_CASE("a message of fragments has the limit of a message", "[websocket_reader]") {
  std::string whole;
  for (int i = 0; i < 64; ++i) whole += ws_frame(i == 0 ? 1 : 0, std::string(1024, 'x'), false);
  CHECK(text_of(whole + ws_frame(0, "", true)).size() == 65536);
  CHECK(refusal_of(whole + ws_frame(0, "x", true)) == 1009);
  std::string bytes;  // 64 Ki fragments of one byte are one message as well
  for (int i = 0; i < 65536; ++i) bytes += ws_frame(i == 0 ? 1 : 0, "x", i == 65535);
  CHECK(hear(bytes, 4096).size() == 1);
}

TEST_CASE("UTF-8, in one frame and across fragments", "[websocket_reader]") {
  const std::string good = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82 \xf4\x8f\xbf\xbf\xef\xbf\xbd";
  for (size_t cut = 0; cut <= good.size(); ++cut) {
    CHECK(text_of(ws_frame(1, good.substr(0, cut), false) + ws_frame(0, good.substr(cut))) == good);
  }
  const std::vector<std::string> bad = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\xc3", "\xe2\x82", "ok\x80",       "\xf8\x88\x80\x80\x80"};
  for (const auto& text : bad) {
    CHECK(refusal_of(ws_frame(1, text)) == 1007);
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      CHECK(refusal_of(ws_frame(1, text.substr(0, cut), false) + ws_frame(0, text.substr(cut))) == 1007);
    }
  }
  CHECK(refusal_of(ws_frame(1, "\xff", false)) == 1007);  // no need to wait for the rest
}

TEST_CASE("close frames: every code", "[websocket_reader]") {
  for (int code = 0; code <= 65535; code += code < 5100 ? 1 : 997) {
    const bool good =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    const auto heard = hear(close_frame(code, "bye") + ws_frame(1, "after"), 1 << 20);
    REQUIRE(heard.size() == 1);
    CAPTURE(code);
    CHECK(heard[0].kind == (good ? Kind::close : Kind::violation));
    CHECK(heard[0].code == (good ? code : 1002));
    if (good) CHECK(heard[0].payload == "bye");
  }
  const auto bare = hear(ws_frame(8, ""), 1);
  REQUIRE(bare.size() == 1);
  CHECK((bare[0].kind == Kind::close && bare[0].code == 1005));
  CHECK(refusal_of(ws_frame(8, "\x03")) == 1002);
  CHECK(refusal_of(close_frame(1000, "\xff")) == 1007);
  CHECK(refusal_of(close_frame(1000, "\xc3")) == 1007);
  CHECK(hear(close_frame(1000, std::string(123, 'x')), 5)[0].kind == Kind::close);
}

TEST_CASE("a frame is judged by its header, before any of its payload", "[websocket_reader]") {
  auto code_of = [](const std::string& header) {
    const auto heard = hear(header, 1);
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].kind == Kind::violation);
    return heard[0].code;
  };
  CHECK(code_of(std::string("\x81\xff\0\0\1\0\0\0\0\0mask", 14)) == 1009);  // 2^40 bytes
  CHECK(code_of(std::string("\x81\xff\0\0\0\0\0\1\0\1", 10)) == 1009);      // 65,537, before the key
  CHECK(code_of("\x82\x85mask") == 1003);
  CHECK(code_of("\x80\x85") == 1002);
  CHECK(code_of("\xc1\x85") == 1002);
  CHECK(code_of("\x81\x05") == 1002);
  CHECK(code_of("\x89\xfe") == 1002);
  CHECK(code_of("\x83\x80") == 1002);
  CHECK(hear(std::string("\x81\xff\0\0\0\0\0\1\0\0mask", 14), 1).empty());  // 65,536 are allowed
}
