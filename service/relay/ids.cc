#include "service/relay/ids.h"

#include <array>

#include "service/text/base64.h"

namespace tokenrelay::relay {
namespace {

std::string draw(const std::string& prefix, size_t chars, const Random& random) {
  std::array<unsigned char, 32> bytes{};
  random(bytes.data(), chars);
  return prefix + text::random_letters(std::span(bytes).first(chars));
}

}  // namespace

std::string draw_stream_id(const Random& random) {
  return draw("strm_", 26, random);
}
std::string draw_request_id(const Random& random) {
  return draw("req_", 20, random);
}

}  // namespace tokenrelay::relay
