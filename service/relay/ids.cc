#include "service/relay/ids.h"

#include <array>

namespace tokenrelay::relay {
namespace {

std::string draw(std::string prefix, size_t chars, const Random& random) {
  static constexpr char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, 32> bytes{};
  random(bytes.data(), chars);
  for (size_t i = 0; i < chars; ++i) prefix += alphabet[bytes[i] & 31];
  return prefix;
}

}  // namespace

std::string draw_stream_id(const Random& random) {
  return draw("strm_", 26, random);
}
std::string draw_request_id(const Random& random) {
  return draw("req_", 20, random);
}

}  // namespace tokenrelay::relay
