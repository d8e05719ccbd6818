#include "service/upstream/token_count.h"

#include <charconv>
#include <string>
#include <string_view>

#include "service/json/sax.h"

namespace tokenrelay::upstream {

std::optional<uint64_t> read_count(json::Reader& in) {
  constexpr double most = 1e15;  // beyond it a double does not hold every integer
  const bool quoted = in.peek() == json::Reader::Kind::string;
  const std::string_view digits = quoted ? in.string() : in.number();
  double count = 0;
  const auto [stop, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (failed != std::errc() || stop != digits.data() + digits.size() || !(count >= 0 && count <= most)) return {};
  return static_cast<uint64_t>(count);
}

std::optional<uint64_t> read_count_of(json::Reader& in, std::string_view member) {
  std::optional<uint64_t> count;
  if (in.peek() != json::Reader::Kind::object) return in.skip(), count;
  in.object([&](std::string_view key) {
    if (key == member) count = read_count(in);
  });
  return count;
}

void update_count(std::optional<uint64_t>& known, std::optional<uint64_t> later) {
  if (later && (*later > 0 || !known)) known = later;
}

}  // namespace tokenrelay::upstream
