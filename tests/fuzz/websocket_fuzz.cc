// A WebSocket client's frames under arbitrary bytes: the same messages in every split, each within its bound and valid
// UTF-8, and nothing after a violation or a close.
#include <algorithm>
#include <string>
#include <vector>

#include "service/http/websocket_reader.h"
#include "service/json/utf8.h"
#include "tests/fuzz/harness.h"

using namespace tokenrelay;
using http::WebSocketReader;
using Kind = WebSocketReader::Item::Kind;

namespace {

constexpr size_t message_bytes = 200;

struct Heard {
  Kind kind;
  std::string payload;
  uint16_t code;
  bool operator==(const Heard&) const = default;
};

std::vector<Heard> hear(std::string_view bytes, size_t read) {
  size_t upto = 0, at = 0;
  WebSocketReader reader(message_bytes, [&](uint8_t* into, size_t room) {
    const size_t size = std::min(room, upto - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, into);
    at += size;
    return size;
  });
  std::vector<Heard> heard;
  bool over = false;
  while (upto < bytes.size()) {
    upto = std::min(bytes.size(), upto + read);
    for (auto item = reader.next(); item.kind != Kind::nothing; item = reader.next()) {
      fuzz::require(!over);
      over = item.kind == Kind::violation || item.kind == Kind::close;
      fuzz::require(item.payload.size() <= (item.kind == Kind::text ? message_bytes : 125));
      fuzz::require((item.kind != Kind::text && item.kind != Kind::close) || json::valid_utf8(item.payload));
      heard.push_back({item.kind, std::string(item.payload), item.code});
    }
  }
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::same_in_every_split(fuzz::input_of(data, size), 32, hear);
  return 0;
}
